"""Made-up records of the five corpora of the paper's pool, in the shapes in which these are published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ALPACA = [
    {"instruction": "Name a bird.", "input": "", "output": "A wren."},
    {"instruction": "Which is it?", "input": "small, brown", "output": "A wren."},
    {"instruction": "Name a bird.", "input": "", "output": "A wren."},
]
FLAN = [
    {"inputs": "Is a wren a bird?\n", "targets": "yes", "task_name": "birds:1.0.0"},
    {"inputs": "Translate to German: wren", "targets": "Zaunkönig", "task_name": "words:1.0.0"},
]
WIZARDLM = [
    {
        "idx": f"w{number}",
        "conversations": [
            {"from": "human", "value": f"Compare {number} birds."},
            {"from": "gpt", "value": "The first is smaller."},
        ],
    }
    for number in (2, 3)
]
DOLLY = [
    {"instruction": "Who sings?", "context": "Wrens sing.", "response": "Wrens.", "category": "closed_qa"},
    {"instruction": "Name an owl.", "context": "", "response": "The barn owl.", "category": "open_qa"},
]


def _said(name: str, text: str, *replies: dict[str, Any]) -> dict[str, Any]:
    role = "prompter" if len(name) % 2 else "assistant"
    return {"message_id": name, "text": text, "role": role, "lang": "en", "replies": [*replies]}


# three ways to an answer, of 1, 2 and 2 rounds, and a question that nobody answered
_PROMPT = _said(
    "a",
    "Which birds sing?",
    _said("ab", "Wrens."),
    _said(
        "ac",
        "Many do.",
        _said("aca", "Do owls?", _said("acab", "They hoot."), _said("acac", "Not quite.")),
        _said("acb", "Do swans?"),
    ),
)
OPEN_ASSISTANT = [{"message_tree_id": "a", "tree_state": "ready_for_export", "prompt": _PROMPT}]


def write_corpora(folder: Path) -> None:
    """Write them under the names of docs/paper-pool.md."""
    (folder / "stanford_alpaca.json").write_text(json.dumps(ALPACA, indent=1), "utf-8")
    (folder / "WizardLM_evol_instruct_V2_143k.json").write_text(json.dumps(WIZARDLM), "utf-8")
    in_lines = {"flan_v2": FLAN, "oasst1": OPEN_ASSISTANT, "wizardlm": WIZARDLM, "dolly": DOLLY}
    for name, records in in_lines.items():
        lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (folder / f"{name}.jsonl").write_text("".join(lines), "utf-8")
