"""entp replay on the command line: what is printed, exit codes, forks kept and listed."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from entp.cli.main import main
from entp.pipeline.stages.order import look_at_run, open_run
from tables import change, first


def called(*words):
    """Run `entp WORDS` as the shell would; gives the exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["entp", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
    return ended.value.code or 0


@pytest.fixture
def entp_command(capsys):
    """Run `entp ARGS`; gives exit code, stdout and stderr."""

    def run(*words):
        code = called(*words)
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture(scope="module")
def _finished(tmp_path_factory, lasting_server):
    """A run of two pairs over rows that lie close to each other."""
    folder = tmp_path_factory.mktemp("finished")
    rows = [
        {
            "instruction": f"What is the best way to learn cooking, part {at}?",
            "output": f"Practise every single day, number {at}.",
            "ratings": {"critic": at % 3},
        }
        for at in range(6)
    ]
    pool = folder / "pool.jsonl"
    pool.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    server = ("--base-url", lasting_server.base_url, "--model", "fake")
    how = ("--encoder", "embedded", "--similarity", "0.6", "--pairs", "2")
    assert called("run", pool, "--run", folder / "run", *server, *how) == 0
    return folder / "run"


@pytest.fixture
def folder(_finished, tmp_path):
    return Path(shutil.copytree(_finished, tmp_path / "run"))


@pytest.fixture
def fusion(folder):
    with look_at_run(folder) as run:
        return first(run.folder, "SELECT id FROM fusions ORDER BY id")["id"]


def test_one_fusion_is_replayed_step_by_step(entp_command, folder, fusion, lasting_server):
    calls = len(lasting_server.calls)
    code, out, err = entp_command("replay", fusion, "--run", folder)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("domain_analysis: relationship ")
    variants = [at for at, line in enumerate(lines) if line.startswith("variant ")]
    assert len(variants) == 3
    check = "  1:1  information_completeness of merged_corpus_generation: loss "
    assert all(lines[at + 1].startswith(check) for at in variants)
    assert lines[-1].startswith(f"fusion {fusion} with 3 fused rows: the same byte for byte; ")
    assert lines[-1].endswith(" calls answered from the ledger, none made")
    assert len(lasting_server.calls) == calls
    code, out, _ = entp_command("replay", fusion, "--run", folder, "--json")
    assert json.loads(out)["differences"] == []


def test_all_fusions_are_counted(entp_command, folder):
    code, out, _ = entp_command("replay", "--all", "--run", folder)
    assert code == 0
    assert out.startswith("2 fusions with 6 fused rows: the same byte for byte; ")
    with open_run(folder) as run:
        change(run.folder, "UPDATE fused_rows SET loss = 9 WHERE variant = 1")
    code, out, _ = entp_command("replay", "--all", "--run", folder)
    assert code == 1
    assert out.count("-1: loss came out different\n") == 2
    assert "2 fusions with 6 fused rows: NOT the same; " in out
    code, out, _ = entp_command("replay", "--all", "--run", folder, "--json")
    assert (code, len(json.loads(out)["differences"])) == (1, 2)


def test_a_fork_is_compared_kept_listed_and_shown(entp_command, folder, fusion):
    where = ("--run", folder, "--from", "0:1:1")
    code, out, _ = entp_command("replay", fusion, *where)
    assert code == 0
    assert "the same text" in out
    assert "kept as" not in out
    code, out, err = entp_command("replay", fusion, *where, "--set", "temperature=0.9", "--live")
    assert code == 0, err
    assert "original" in out
    assert " calls made (" in out
    fork = out.split("kept as ")[1].split(":")[0]
    code, out, _ = entp_command("list", "forks", "--run", folder, "--json")
    assert [(f["id"], f["fusion_id"], f["point"], f["changes"]) for f in json.loads(out)] == [
        (fork, fusion, "0:1:1", {"temperature": 0.9})
    ]
    code, out, _ = entp_command("show", fork, "--run", folder, "--json")
    assert json.loads(out)["original"]["id"] == f"{fusion}-0"
    code, out, _ = entp_command("show", fusion, "--run", folder)
    assert fork in out
    code, _, _ = entp_command("verify", "--run", folder)
    assert code == 0


def edit_with(monkeypatch, tmp_path, code):
    """An editor that runs `code` over the file's text, as `text`."""
    script = tmp_path / "editor.py"
    script.write_text(
        f"import sys\npath = sys.argv[1]\ntext = open(path).read()\n{code}\nopen(path, 'w').write(text)\n",
        "utf-8",
    )
    monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")


def test_a_text_is_edited_and_judged(entp_command, folder, fusion, monkeypatch, tmp_path):
    edit_with(monkeypatch, tmp_path, "text = text.replace('Variant 0.', 'Edited.')")
    edit = ("replay", fusion, "--run", folder, "--from", "0:1:1", "--edit")
    code, out, err = entp_command(*edit, "--live", "--json")
    assert code == 0, err
    first = json.loads(out)["fork"]["attempts"][0]
    assert first["template"] == "edited"
    assert first["turns"][0]["content"].startswith("Edited.")
    edit_with(monkeypatch, tmp_path, "text = text.replace('user', 'nobody')")
    code, _, err = entp_command(*edit)
    assert code == 2
    assert err.startswith("entp: the edited text is not a conversation: ")
    assert err.count("\n") == 1
    edit_with(monkeypatch, tmp_path, "text = '5'")
    code, _, err = entp_command(*edit)
    assert (code, err.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "one fusion or all of them?"),
        (("ID", "--all"), "one fusion or all of them?"),
        (("ID", "--set", "temperature=1"), "name the point with --from"),
        (("ID", "--live"), "name the point with --from"),
        (("--all", "--from", "0:1:1"), "--from goes back in one fusion"),
        (("ID", "--from", "0:1:1", "--set", "colour=red"), "a name among model, template, temperature"),
        (("ID", "--from", "0:1:1", "--set", "temperature"), "expected NAME=VALUE"),
        (("ID", "--from", "0:1:1", "--set", "temperature=hot"), "setting 'temperature'"),
        (("ID", "--from", "0:1:1", "--set", "template=terms", "--edit"), "choose one of them"),
        (("ID", "--from", "here"), "give VARIANT:CYCLE:ATTEMPT"),
        (("nothing",), "has no fusion 'nothing'"),
    ],
)
def test_wrong_use_is_one_line(entp_command, folder, fusion, words, told):
    words = [fusion if word == "ID" else word for word in words]
    code, out, err = entp_command("replay", *words, "--run", folder)
    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1
