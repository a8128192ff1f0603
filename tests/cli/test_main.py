"""The command line: what is printed where, exit codes, one-line errors."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import click
import pytest

from entp.cli.main import COMMANDS, entp
from entp.pipeline.stages.order import look_at_run
from entp.pipeline.stages.select import SelectSettings

HEAVY = ("torch", "sentence_transformers", "langchain_openai", "langgraph", "sklearn", "xllamacpp")


def test_help_and_errors_need_no_heavy_import():
    code = (
        f"import sys\nfrom entp.cli.main import entp\nentp(['--help'], standalone_mode=False)\n"
        f"assert not set({HEAVY!r}) & set(sys.modules), set({HEAVY!r}) & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_run_with_nothing_to_do_needs_no_heavy_import():
    code = (
        f"import sys\nimport entp.cli.stages, entp.pipeline.ahead.job\n"
        f"assert not set({HEAVY!r}) & set(sys.modules), set({HEAVY!r}) & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_an_example(name):
    context = click.Context(entp)
    command = entp.get_command(context, name)
    assert command.help
    assert "Example" in command.epilog
    for parameter in command.params:
        assert isinstance(parameter, click.Argument) or parameter.help


@pytest.mark.over_http
def test_a_whole_run_and_a_second_one(entp_command, arguments, model_server):
    code, out, err = entp_command("run", *arguments)
    assert code == 0, err
    assert "fuse: " in out
    assert "balanced" in out
    calls = len(model_server.calls)
    code, out, _ = entp_command("run", *arguments)
    assert code == 0
    assert out.count("(up to date)") == 8
    assert len(model_server.calls) == calls


def test_json_is_json_and_goes_to_stdout_alone(entp_command, arguments, tmp_path):
    code, out, _ = entp_command("run", *arguments, "--json")
    told = json.loads(out)
    assert code == 0
    assert told["balanced"] is True
    assert set(told["books"]) == {stage["name"] for stage in told["stages"]}
    assert told["findings"]["fuse"]["pairs"] == 2
    for view in (["status"], ["list", "pairs"], ["list", "fused"], ["list", "rows", "--limit", "2"]):
        code, out, _ = entp_command(*view, "--run", tmp_path / "run", "--json")
        assert code == 0
        assert json.loads(out)


def test_status_says_what_the_calls_of_this_run_took(entp_command, arguments, tmp_path, model_server):
    at = ["--run", tmp_path / "run"]
    entp_command("run", *arguments, "--prompt-price", "1000", "--completion-price", "1000")
    spent = json.loads(entp_command("status", *at, "--json")[1])["spent"]
    counted = {call["operator"]: call["calls"] for call in spent}
    asked = Counter(model_server.calls)
    assert asked.pop("reply_mode") == 1  # a question to the server, not about a row
    assert counted == asked
    assert {call["stage"] for call in spent} == {"fuse"}
    assert {call["model"] for call in spent} == {"fake"}
    one = next(call for call in spent if call["operator"] == "domain_analysis")
    tokens = one["prompt_tokens"] + one["completion_tokens"]
    assert one["dollars"] == pytest.approx(tokens / 1000)
    (line,) = [line for line in entp_command("status", *at)[1].splitlines() if "domain_analysis" in line]
    assert line.split()[-1] == f"${tokens / 1000:,.2f}"


def test_show_takes_every_kind_of_id(entp_command, arguments, tmp_path):
    entp_command("run", *arguments)
    _, out, _ = entp_command("list", "fused", "--run", tmp_path / "run", "--json")
    fused = json.loads(out)[0]["id"]
    pair = fused.rsplit("-", 1)[0]
    _, out, _ = entp_command("show", pair, "--run", tmp_path / "run", "--json")
    row = json.loads(out)["pair"]["left"]["id"]
    for wanted, kind in ((fused, "fused_row"), (pair, "pair"), (row, "row")):
        code, out, _ = entp_command("show", wanted, "--run", tmp_path / "run")
        assert code == 0
        assert out.startswith(f"kind: {kind}\n")


def test_each_stage_by_itself(entp_command, arguments, pool, tmp_path, model_server):
    at = ["--run", tmp_path / "run"]
    model = ["--base-url", model_server.base_url, "--model", "fake"]
    for command in (
        ["load", pool, *at],
        ["rate", *at, *model],
        ["embed", *at, "--encoder", "embedded"],
        ["score", *at],
        ["select", *at, "--similarity", "0.6"],
        ["fuse", *at, "--pairs", "1"],
        ["blend", *at],
        ["export", *at, "--form", "alpaca", "--out", tmp_path / "train.parquet"],
    ):
        code, out, err = entp_command(*command)
        assert code == 0, err
        assert out.startswith(f"{command[0]}: ")
    assert (tmp_path / "train.parquet").exists()


def test_score_tells_what_it_found_in_words_and_as_json(entp_command, pool, tmp_path, model_server):
    rows = [json.loads(line) for line in pool.read_text("utf-8").splitlines()]
    for at, row in enumerate(rows):
        row["ratings"]["editor"] = (at + at % 2) % 6
    pool.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    at = ["--run", tmp_path / "run"]
    entp_command("load", pool, *at)
    model = ["--base-url", model_server.base_url, "--model", "fake"]
    code, out, err = entp_command("rate", *at, "--rater", "model", "--audit", "4", *model)
    assert code == 0, err
    assert "4 of 4 rows wanted were rated a second time" in out
    _, out, _ = entp_command("list", "audits", *at, "--json")
    audited = json.loads(out)
    assert len(audited) == 4
    _, out, _ = entp_command("show", audited[0]["row_id"], *at, "--json")
    assert json.loads(out)["second_rating"]["score"] == audited[0]["second"]
    entp_command("embed", *at, "--encoder", "embedded")
    code, out, err = entp_command("score", *at, "--correction", "hoc")
    assert code == 0, err
    assert "4 rows rated twice" in out
    for line in ("true 5", "scores moved", "Question number", "model, corrected", "length out"):
        assert line in out
    entp_command("score", *at, "--correction", "auto")
    code, out, _ = entp_command("score", *at, "--json")
    told = json.loads(out)
    assert code == 0
    assert told["audited"] == 4
    assert {pair["right"] for pair in told["agreement"]} == {"critic", "editor"}
    assert all(flag["name"] and flag["sentence"].endswith(".") for flag in told["flags"])
    entp_command("select", *at, "--include", "code", "--similarity", "0.6")
    with look_at_run(tmp_path / "run") as run:
        assert run.settings.of(SelectSettings).include == ("code",)


def test_a_dry_run_asks_no_model(entp_command, arguments, model_server):
    code, out, _ = entp_command("run", *arguments, "--dry-run")
    assert code == 0
    assert "would fuse 2 of 5 possible pairs: 16 to 64 calls" in out
    assert model_server.calls == []


def test_rejected_rows_are_told_and_the_code_says_so(entp_command, arguments, pool):
    with pool.open("a") as file:
        file.write('{"instruction": "No answer?", "output": ""}\nnot json\n')
    code, out, _ = entp_command("run", *arguments)
    assert code == 3
    assert f"{pool}:13" in out
    assert f"{pool}:14" in out


def test_strict_stops_at_the_first(entp_command, arguments, pool, tmp_path):
    with pool.open("a") as file:
        file.write("not json\n")
    code, _, err = entp_command("run", *arguments, "--strict")
    assert code == 1
    assert err.rstrip().count("\n") == 1  # the line that names the file's shape, and the error
    assert f"{pool}:13" in err
    code, _, _ = entp_command("list", "rows", "--run", tmp_path / "run")
    assert code == 0


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["run", "--run", "{tmp}/run"], 2, "no pool given"),
        (["run", "{tmp}/none.jsonl", "--run", "{tmp}/run"], 2, "none.jsonl"),
        (["run", "{pool}", "--run", "{pool}/run"], 1, "cannot be made"),
        (["status", "--run", "{tmp}/none"], 1, "does not hold a run"),
        (["run", "{pool}", "--run", "{tmp}/run", "--similarity", "7"], 2, "similarity"),
        (["run", "{pool}", "--run", "{tmp}/run", "--similarity", "high"], 2, "high"),
        (["run", "{pool}", "--run", "{tmp}/run", "--base-url", "http://127.0.0.1:9/v1"], 2, "--model"),
        (["run", "{pool}", "--run", "{tmp}/run", "--key-file", "{tmp}/no.key"], 2, "no.key"),
        (["run", "{pool}", "--run", "{tmp}/run", "--settings", "{tmp}/no.toml"], 2, "no.toml"),
        (["run", "{pool}"], 2, "--run"),
        (["walk"], 2, "walk"),
    ],
)
def test_mistakes_are_one_line(entp_command, pool, tmp_path, args, code, says):
    found, out, err = entp_command(*[arg.format(tmp=tmp_path, pool=pool) for arg in args])
    assert found == code
    assert says in err
    assert err.startswith("entp: ")
    assert err.count("\n") == 1
    assert not out


def test_a_key_without_a_model_spends_nothing(entp_command, pool, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    code, _, err = entp_command("run", pool, "--run", tmp_path / "run")
    assert code == 2
    assert "--model" in err
    assert "sk-secret" not in err


def test_a_server_that_cannot_be_reached(entp_command, arguments, tmp_path):
    arguments[arguments.index("--base-url") + 1] = "http://127.0.0.1:9/v1"
    code, _, err = entp_command("run", *arguments)
    last = err.rstrip().splitlines()[-1]
    assert code == 1
    assert last.startswith("entp: ")
    assert "127.0.0.1:9" in last


@pytest.mark.over_http
def test_a_model_that_does_not_exist(entp_command, arguments):
    arguments[arguments.index("--model") + 1] = "nobody"
    code, _, err = entp_command("run", *arguments)
    assert code == 1
    assert "nobody" in err.rstrip().splitlines()[-1]


@pytest.mark.over_http
def test_the_key_is_in_no_file(entp_command, arguments, tmp_path):
    key = tmp_path / "the.key"
    key.write_text("sk-very-secret-0123456789\n")
    code, out, err = entp_command("run", *arguments, "--key-file", key)
    assert code == 0
    for file in (tmp_path / "run").rglob("*"):
        assert b"sk-very-secret" not in file.read_bytes()
    assert "sk-very-secret" not in out + err


def test_settings_come_from_a_file_and_options_beat_it(entp_command, arguments, tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text('max_loss = 3\nform = "alpaca"\n')
    code, out, _ = entp_command("run", *arguments, "--settings", file, "--form", "sharegpt", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["settings"]["max_loss"] == 3
    assert told["findings"]["export"]["form"] == "sharegpt"


def test_data_cannot_move_the_cursor(entp_command, arguments, pool, tmp_path):
    pool.write_text(
        "".join(
            json.dumps(
                {"id": f"r{at}", "instruction": f"\x1b[2J {at}?", "output": "\x07 ok", "ratings": {"c": 1}}
            )
            + "\n"
            for at in range(8)
        )
    )
    entp_command("run", *arguments)
    code, out, _ = entp_command("show", "r1", "--run", tmp_path / "run")
    assert code == 0
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "\\x1b[2J" in out


def test_interrupted(entp_command, monkeypatch):
    def stop(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(entp, "main", stop)
    code, _, err = entp_command("status")
    assert code == 130
    assert "goes on from there" in err


def test_a_mistyped_command_is_met_with_the_nearest(entp_command):
    code, out, err = entp_command("statsu")
    assert (code, out) == (2, "")
    assert err == "entp: there is no command 'statsu'; did you mean 'status'?; see entp --help\n"


def test_a_pool_that_is_not_there_is_one_line(entp_command, tmp_path):
    code, _, err = entp_command("load", "nothere.jsonl", "--run", tmp_path / "run")
    assert code == 2
    assert err == (
        "entp: Invalid value for '[POOL]...': Path 'nothere.jsonl' does not exist; see entp load --help\n"
    )


def test_a_bare_call_prints_the_whole_help(entp_command):
    code, out, _ = entp_command()
    assert code == 0
    assert out == entp_command("--help")[1]
    assert all(f"  {name} " in out for name in COMMANDS)
