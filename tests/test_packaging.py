"""The packaging: pyproject's lists are those of the tree, and the documents' commands exist."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import get_args

import click
import pytest
from paper_corpora import write_corpora

from entp.cli.main import entp
from entp.records.vocabulary import Ablation
from small_pool import every_encoder_faked

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
DEPENDENCIES = [
    *PROJECT["project"]["dependencies"],
    *(line for name, lines in EXTRAS.items() if name != "dev" for line in lines),
]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_every_package_of_the_tree_is_named():
    found = {
        ".".join(["entp", *path.parent.relative_to(ROOT).parts])
        for path in ROOT.rglob("__init__.py")
        if not any(part.startswith(".") or part in {"build", "dist"} for part in path.relative_to(ROOT).parts)
    }
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])


def test_every_prompt_file_lies_in_a_package():
    for file in (ROOT / "prompts").rglob("*.txt"):
        assert f"entp.prompts.{file.parent.name}" in PROJECT["tool"]["setuptools"]["package-data"]


def test_every_dependency_has_its_reason():
    reasons = (ROOT / "docs" / "decisions.md").read_text("utf-8")
    for line in DEPENDENCIES:
        name = re.split(r"[<>=\[]", line)[0]
        assert name.removesuffix("-checkpoint").removesuffix("-checkpoint-sqlite") in reasons


def third_party_imports():
    """Names of the packages that the tree imports anywhere, ours and Python's own left out."""
    found = set()
    for package in PROJECT["tool"]["setuptools"]["packages"]:
        for path in ROOT.joinpath(*package.split(".")[1:]).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                    found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"entp"}


def test_every_import_is_a_declared_dependency():
    declared = {re.split(r"[<>=\[]", line)[0] for line in DEPENDENCIES}
    distributions = packages_distributions()
    imported = third_party_imports()
    assert {"numpy", "torch", "scipy"} <= imported
    for name in imported:
        # a package of an extra may not be installed
        of = {found.replace("_", "-").lower() for found in distributions.get(name, [name])}
        assert of & declared, f"{name} is imported but not declared"


def commands(document):
    """The words of every entp command in a document, without the program's own name."""
    for block in re.findall(r"```(?:sh|console)\n(.*?)```", document.read_text("utf-8"), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0].endswith("entp"):
                yield words[1:]


@pytest.fixture
def example_folder(tmp_path, monkeypatch):
    """A folder with the files that the documents name; the pools are parts of the shipped ones."""
    lines = (ROOT / "examples" / "pool.jsonl").read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "examples").mkdir()
    for file in (
        *(tmp_path / "examples" / f"{name}.jsonl" for name in ("pool", "drawn")),
        tmp_path / "pool.jsonl",
    ):
        file.write_text("".join(lines[:60] + lines[-3:]), "utf-8")
    (tmp_path / "more.parquet").touch()
    write_corpora(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_in_the_documents_is_understood(document, example_folder):
    """Parsed as the command line does it: unknown commands, options and values are errors."""
    for name, *words in commands(document):
        command = entp.get_command(click.Context(entp), name)
        assert command, name
        command.make_context(name, words)


def test_the_readmes_stages_and_views_run(example_folder, model_server):
    """The commands on `runs/steps`, as they stand there but for the server, which is one on loopback."""
    ran = []
    for words in commands(ROOT / "README.md"):
        if "runs/steps" in words:
            here = [
                {"http://localhost:8000/v1": model_server.base_url, "my-model": "fake"}.get(w, w)
                for w in words
            ]
            if here[0] == "show":
                here[1] = json.loads((example_folder / "pool.jsonl").read_text("utf-8").splitlines()[0])["id"]
            assert entp.main(here, standalone_mode=False) == 0, here
            ran.append(here[0])
    assert ran == [
        "load",
        "rate",
        "embed",
        "score",
        "select",
        "fuse",
        "blend",
        "export",
        *["status", "list", "list", "verify", "show"],
    ]
    assert (example_folder / "train.jsonl").stat().st_size > 0


def test_the_ablations_leave_a_data_set_each(example_folder, model_server):
    """The commands of docs/ablations.md, as they stand there but for pool, model and encoder."""
    pool = example_folder / "pool.jsonl"
    rows = [json.loads(line) for line in pool.read_text("utf-8").splitlines()[:12]]
    for at, row in enumerate(rows):
        row["ratings"] = {"critic": at % 4}
    pool.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    here = {"gpt-4o-mini": "fake"}
    asked = ["--base-url", model_server.base_url, "--encoder", "fake", "--similarity", "0.5"]
    with every_encoder_faked():
        for words in commands(ROOT / "docs" / "ablations.md"):
            more = asked if "pool.jsonl" in words else []
            assert entp.main([*(here.get(w, w) for w in words), *more], standalone_mode=False) == 0, words
    found = {path.parent.name: path.stem for path in example_folder.glob("runs/*/*.jsonl")}
    parts = [part for part in get_args(Ablation) if part != "none"]
    assert found == {"whole": "entp", **{f"without-{part}": f"entp-without-{part}" for part in parts}}


def test_the_papers_pool_is_made_as_its_page_says(example_folder, capsys):
    """The page's draw and its commands, over a few records of each corpus as it is published."""
    page = (ROOT / "docs" / "paper-pool.md").read_text("utf-8")
    (draw,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (example_folder / "wizardlm.jsonl").unlink()
    subprocess.run([sys.executable, "-c", draw], check=True)
    for words in commands(ROOT / "docs" / "paper-pool.md"):
        # 3: done, with records that are not rows
        assert entp.main(words, standalone_mode=False) == (3 if words[0] == "load" else 0), words
    told = capsys.readouterr()
    expected = dict(re.findall(r"^\| (\w+) \| ([\d,]+) \|", page, re.MULTILINE))
    assert sum(int(rows.replace(",", "")) for rows in expected.values()) == 300_932
    rows = {source: re.search(rf"^{source} +(\d+) +([\d.]+) ", told.out, re.MULTILINE) for source in expected}
    assert {source: found.groups() for source, found in rows.items()} == {
        "flan_v2": ("2", "1.0"),
        "wizardlm": ("2", "1.0"),
        "stanford_alpaca": ("2", "1.0"),
        "oasst1": ("3", "1.67"),
        "dolly": ("2", "1.0"),
    }
    shapes = re.findall(r"(\w+)\.jsonl?: \w+, (\w+) shape", told.err)
    assert dict(shapes) == {
        "flan_v2": "flan",
        "oasst1": "oasst_trees",
        "wizardlm": "sharegpt",
        "dolly": "dolly",
        "stanford_alpaca": "alpaca",
    }
    # what the page says of rows that the paper's pool has and this one has not
    assert "stanford_alpaca.json:1 again" in told.out
    assert "a question that nobody answered" in told.out


def test_make_targets_in_the_documents_exist():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for document in DOCUMENTS:
        named = set(re.findall(r"`make (\w+)", document.read_text("utf-8")))
        assert named <= targets, document


def test_the_package_root_imports_nothing():
    assert "import" not in re.sub(
        r'""".*?"""', "", (ROOT / "__init__.py").read_text("utf-8"), flags=re.DOTALL
    )
