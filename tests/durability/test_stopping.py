"""Ctrl-C and SIGTERM: the first lets calls in flight end, the second leaves at once."""

import os
import signal
import threading

import pytest

from disturbed import line_with, nth_call
from entp_process import PATIENCE_S
from paid_calls import results

LEFT = "entp: left at once; what was recorded is kept, the same command goes on from there"
KEPT = "entp: interrupted; what was done is kept, the same command goes on from there"


def held_ratings(bench):
    """Have the server answer no rating before what this returns is set."""
    released = threading.Event()

    def delay(call):
        if call.startswith('["rating"'):
            assert released.wait(PATIENCE_S)
        return 0

    bench.calls.delay = delay
    return released


def test_the_first_signal_lets_calls_in_flight_end_and_pays_none_twice(bench, undisturbed, tmp_path):
    folder = tmp_path / "run"
    bench.finish(folder, last="select")
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        run = bench.start(folder)
        assert run.until(nth_call(30))
        os.killpg(run.pid, number)  # as a terminal or a service manager does
        assert run.end() == code
        assert run.lines["err"][-1].rstrip() == KEPT
        assert "in flight; again to leave at once" in "".join(run.lines["err"])
        assert run.left_behind() == []
        assert bench.in_flight(folder) == 0
    bench.finish(folder)
    assert bench.calls.asked == undisturbed.asked
    assert results(folder) == undisturbed.found


def test_the_second_signal_leaves_at_once_and_gives_the_terminal_its_cursor_back(bench, tmp_path):
    folder = tmp_path / "run"
    released = held_ratings(bench)
    run = bench.start(folder, terminal=True)
    assert run.until(nth_call(4, "rating"))
    run.send(signal.SIGINT)
    assert run.until(line_with("after the 4 calls in flight"))
    assert run.insist(signal.SIGTERM) == 143
    assert run.left_behind() == []
    released.set()
    assert bench.in_flight(folder) == 4
    shown = "".join(run.lines["err"])
    hidden = shown.rindex("\x1b[?25l")
    assert "\x1b[?25h" in shown[hidden:]
    assert shown.endswith(f"\n{LEFT}\r\n")


def test_signals_that_come_together_are_one(bench, tmp_path):
    released = held_ratings(bench)
    run = bench.start(tmp_path / "run")
    assert run.until(nth_call(4, "rating"))
    for _ in range(3):  # as timeout(1) does, to the process and to its group
        run.send(signal.SIGTERM)
    assert run.until(line_with("after the 4 calls in flight"))
    released.set()
    assert run.end() == 143
    assert run.lines["err"][-1].rstrip() == KEPT


def test_a_stage_that_computes_stops_where_it_is(bench, tmp_path):
    run = bench.start(tmp_path / "run")
    assert run.until(line_with("embed: 20 rows in"))
    run.send(signal.SIGTERM)
    assert run.end() == 143
    assert run.lines["err"][-1].rstrip() == KEPT
    assert not any("score: " in line for line in run.lines["out"])


@pytest.mark.embedded
@pytest.mark.parametrize("moment", ["load: ", "rating with"])
def test_no_embedded_server_is_left_behind(bench, tmp_path, moment):
    """At the end of load the server starts and loads its model; the second moment is that of its calls."""
    bench.settings |= {"model": "embedded", "max_tokens": 8, "concurrency": 2}
    del bench.settings["base_url"]
    run = bench.start(tmp_path / "run", terminal=True)
    assert run.until(line_with(moment))
    os.killpg(run.pid, signal.SIGINT)
    assert run.end() == 130
    assert run.lines["err"][-1].rstrip() == KEPT
    assert run.left_behind() == []
