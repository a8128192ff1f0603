"""The packaging: pyproject's lists are those of the tree, and the documents' commands exist."""

from __future__ import annotations

import ast
import re
import shlex
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import click
import pytest
from entp.cli.main import entp

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
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
    extras = PROJECT["project"]["optional-dependencies"]
    for line in [*PROJECT["project"]["dependencies"], *extras["embedded"], *extras["datasets"]]:
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
    extras = PROJECT["project"]["optional-dependencies"]
    lines = [*PROJECT["project"]["dependencies"], *extras["embedded"], *extras["datasets"]]
    declared = {re.split(r"[<>=\[]", line)[0] for line in lines}
    distributions = packages_distributions()
    imported = third_party_imports()
    assert {"numpy", "torch", "scipy"} <= imported
    for name in imported:
        # a package of an extra may not be installed
        of = {found.replace("_", "-").lower() for found in distributions.get(name, [name])}
        assert of & declared, f"{name} is imported but not declared"


def commands():
    for document in DOCUMENTS:
        for block in re.findall(r"```(?:sh|console)\n(.*?)```", document.read_text("utf-8"), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                if "entp" in words[:2]:
                    yield pytest.param(words[words.index("entp") + 1 :], id=f"{document.name}: {line[:60]}")


@pytest.mark.parametrize("words", list(commands()))
def test_every_command_in_the_documents_is_understood(words):
    """Parsed as the command line does it: unknown commands, options and values are errors."""
    command = entp.get_command(click.Context(entp), words[0])
    assert command, words
    command.make_context(words[0], words[1:])


def test_make_targets_in_the_documents_exist():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for document in DOCUMENTS:
        named = set(re.findall(r"`make (\w+)", document.read_text("utf-8")))
        assert named <= targets, document


def test_the_package_root_imports_nothing():
    assert "import" not in re.sub(
        r'""".*?"""', "", (ROOT / "__init__.py").read_text("utf-8"), flags=re.DOTALL
    )
