"""What the demo shows of the rows that it has fused."""

from __future__ import annotations

import re

import pytest

from entp.cli.demo import print_best_and_worst, repeated
from entp.pipeline.stages.order import look_at_run


def test_the_rows_of_least_and_of_greatest_loss_are_shown(entp_command, arguments, tmp_path, capsys):
    assert entp_command("run", *arguments)[0] == 0
    with look_at_run(tmp_path / "run") as run:
        losses = sorted(row.loss for row in run.store.fused_rows.all())
        print_best_and_worst(run)
    shown = capsys.readouterr().out
    assert f"The best of {len(losses)} fused rows" in shown
    assert f"The worst of {len(losses)} fused rows" in shown
    assert [int(loss) for loss in re.findall(r"loss (\d+)", shown)] == [losses[0], losses[-1]]
    assert shown.count("unmet at the last check") == 2


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("", 0),
        ("one two three", 0),
        ("a b c d e", 0),
        ("It is so. It is so. It is so.", 0.5),
        ("a " * 23, 0.95),
    ],
)
def test_how_much_a_text_repeats_itself(text, share):
    assert repeated(text) == pytest.approx(share, abs=0.01)
