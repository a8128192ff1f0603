import json
import re
from dataclasses import fields
from pathlib import Path
from string import Template
from typing import get_args

import pytest

from entp.nodes.templates import TEMPLATES
from entp.prompts import inputs
from entp.prompts.data_line import data_line
from entp.prompts.render import render
from entp.records.vocabulary import Profile

PROMPTS = Path(inputs.__file__).parent
GOLDEN = Path(__file__).parent / "golden"
PROFILES = get_args(Profile)
KINDS = [template.given for template in TEMPLATES]
REPLIES = {template.name: template.reply for template in TEMPLATES}
each_template = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.template)
each_profile = pytest.mark.parametrize("profile", PROFILES)


def keys_of(schema):
    """Every property name in a JSON schema, at any depth."""
    if isinstance(schema, list):
        return set().union(*map(keys_of, schema))
    if not isinstance(schema, dict):
        return set()
    return set(schema.get("properties", {})) | set().union(*map(keys_of, schema.values()), set())


@each_profile
def test_every_template_has_an_input_and_every_input_a_template(profile):
    files = {path.stem for path in (PROMPTS / profile).glob("*.txt")}
    assert files == {kind.template for kind in KINDS} | {"system"}
    assert len(KINDS) == len(files) - 1


@each_profile
@each_template
def test_placeholders_are_exactly_the_fields_each_once_on_a_line_of_its_own(kind, profile, template_text):
    text = template_text(profile, kind.template)
    names = [line[1:] for line in text.splitlines() if line.startswith("$")]
    assert sorted(names) == sorted(field.name for field in fields(kind))
    assert text.count("$") == len(names)
    assert set(Template(text).get_identifiers()) == set(names)


@each_profile
@each_template
def test_data_comes_last_and_only_labels_stand_between(kind, profile, template_text):
    lines = template_text(profile, kind.template).splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("$"))
    labels, values = lines[first - 1 :: 2], lines[first::2]
    assert all(label.endswith(":") for label in labels)
    assert all(value.startswith("$") for value in values)


@each_profile
@pytest.mark.parametrize("name", ["system", *(kind.template for kind in KINDS)])
def test_the_texts_themselves_hold_no_control_token_and_end_with_one_line_break(name, profile, template_text):
    text = template_text(profile, name)
    assert data_line(text) == json.dumps(text, ensure_ascii=False)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "\r" not in text


@each_template
def test_the_full_template_names_every_key_of_its_reply(kind, template_text):
    reply = template_text("full", kind.template).split("## Reply")[1].split("## Data")[0]
    missing = [key for key in keys_of(REPLIES[kind.template].model_json_schema()) if f"`{key}`" not in reply]
    assert missing == []


@each_template
def test_full_templates_have_one_order_of_sections(kind, template_text):
    sections = [line for line in template_text("full", kind.template).splitlines() if line.startswith("#")]
    assert sections[0] == "## Task"
    assert sections[-2:] == ["## Reply", "## Data"]


@pytest.mark.parametrize("name", ["system", *(kind.template for kind in KINDS)])
def test_compact_templates_are_short_and_do_not_mention_the_key_their_schema_lacks(name, template_text):
    text = template_text("compact", name)
    asked = text.split("\n\n")[0]
    assert len(asked.split()) <= 60
    assert "declined" not in text


@each_profile
@each_template
def test_the_rendered_prompt_is_the_golden_one(kind, profile, example, request):
    system, user = render(example(kind), profile).messages
    for name, text in (("system", system.content), (kind.template, user.content)):
        path = GOLDEN / profile / f"{name}.txt"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        assert path.read_bytes().decode() == text, (
            "if the change is meant: pytest tests/prompts --update-golden"
        )


@each_profile
def test_no_golden_prompt_is_left_over(profile):
    assert {path.stem for path in (GOLDEN / profile).iterdir()} == {kind.template for kind in KINDS} | {
        "system"
    }


def test_sources_give_every_template_its_figure():
    text = (PROMPTS / "SOURCES.md").read_text("utf-8").split("## Template by template")[1]
    named = re.findall(r"^\| `(\w+)` \| (\w*) \|", text, re.MULTILINE)
    assert sorted(named) == sorted((each.name, str(each.figure or "")) for each in TEMPLATES)
