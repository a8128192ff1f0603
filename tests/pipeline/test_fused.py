"""What is stored of a variant."""

from __future__ import annotations

from entp.pipeline.stages.fused import fused_row


def attempt(cycle, number, text):
    turns = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": text}]
    return {"cycle": cycle, "attempt": number, "template": "terms", "turns": turns, "calls": [], "loss": {}}


def test_a_text_is_stored_where_it_differs_from_the_one_before():
    made = [
        attempt(1, 1, "a"),
        attempt(1, 2, "b"),
        attempt(2, 1, "b"),
        attempt(2, 2, "a"),
        attempt(2, 3, "a"),
    ]
    outcome = {"variant": 0, "strategy": "s", "status": "fused", "turns": made[-1]["turns"], "loss": 0}
    stored = fused_row("f", outcome | {"attempts": made, "reason": "", "raw": ""}, "model")["attempts"]
    assert ["turns" in record for record in stored] == [True, True, False, True, False]
    filled, last = [], None
    for record in stored:
        last = record.get("turns", last)
        filled.append({**record, "turns": last})
    assert filled == made
    assert "turns" in made[2]
