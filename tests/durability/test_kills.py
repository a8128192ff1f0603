"""Killed at any moment, a run goes on from there: nothing lost or doubled, nothing on disk paid twice."""

from disturbed import Tally, compare, line_with, nth_call


def test_a_run_that_is_killed_again_and_again(bench, undisturbed, tmp_path):
    folder = tmp_path / "run"
    tally = Tally("SIGKILL")
    moments = [
        (nth_call(8, "rating"), "in the midst of rating"),
        (line_with("embed: "), "as scoring begins"),
        (nth_call(40), "in the midst of fusing"),
        (line_with("fuse: "), "before the end"),
    ]
    lost = 0
    for moment, when in moments:
        run = bench.start(folder)
        assert run.until(moment), when
        run.kill()
        now = bench.in_flight(folder)
        lost = now
        assert run.left_behind() == []
    bench.finish(folder)
    compare(bench, undisturbed, folder, tally, lost)
    assert tally.problems == []
    assert tally.rows_lost == tally.rows_doubled == 0
