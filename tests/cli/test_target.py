"""A target size on the command line: a draw is not a trial."""

from __future__ import annotations


def test_a_drawn_plan_and_a_trial_are_told_apart_in_help_and_output(entp_command, arguments):
    _, out, _ = entp_command("run", *arguments, "--kinds", "inter", "--inter", "1", "--dry-run")
    assert "would fuse 1 of 2 possible pairs" in out
    assert "drawn at random: 0 of 0 intra pairs, 1 of 2 inter pairs; at most 3 fused rows" in out
    _, out, _ = entp_command("select", "--help")
    told = " ".join(out.split())
    assert "clusters are drawn whole" in told
    _, out, _ = entp_command("fuse", "--help")
    assert "a cheap trial and not a sample" in " ".join(out.split())
