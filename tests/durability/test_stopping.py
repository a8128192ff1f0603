"""Ctrl-C and SIGTERM: the first lets calls in flight end, the second leaves at once."""

import os
import signal
import threading

import pytest

from entp_process import PATIENCE_S
from paid_calls import calls_on_disk, results

LEFT = "entp: left at once; what was recorded is kept, the same command goes on from there"
KEPT = "entp: interrupted; what was done is kept, the same command goes on from there"


def nth_call(number, operator=""):
    """The moment at which the server has been asked so often by an operator, or by any."""
    left = number

    def moment(kind, value):
        nonlocal left
        left -= kind == "call" and operator in value
        return left <= 0

    return moment


def line_with(text):
    return lambda kind, value: kind in {"out", "err"} and text in value


def held_ratings(bench):
    """Have the server answer no rating before what this returns is set."""
    released = threading.Event()

    def delay(call):
        if call.startswith('["rating"'):
            assert released.wait(PATIENCE_S)
        return 0

    bench.calls.delay = delay
    return released


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_lets_calls_in_flight_end_and_pays_none_twice(
    bench, undisturbed, tmp_path, number, code
):
    folder = tmp_path / "run"
    bench.finish(folder, last="select")
    run = bench.start(folder)
    assert run.until(nth_call(30))
    os.killpg(run.pid, number)  # as a terminal or a service manager does
    assert run.end() == code
    assert run.lines["err"][-1].rstrip() == KEPT
    assert "in flight; again to leave at once" in "".join(run.lines["err"])
    assert run.left_behind() == []
    assert bench.calls.total() == calls_on_disk(folder)
    bench.finish(folder)
    assert bench.calls.asked == undisturbed.asked
    assert results(folder) == undisturbed.found


def test_the_second_signal_leaves_at_once(bench, undisturbed, tmp_path):
    folder = tmp_path / "run"
    released = held_ratings(bench)
    run = bench.start(folder)
    assert run.until(nth_call(4, "rating"))
    run.send(signal.SIGINT)
    assert run.until(line_with("after the 4 calls in flight"))
    assert run.insist(signal.SIGTERM) == 143
    assert run.lines["err"][-1].rstrip() == LEFT
    assert run.left_behind() == []
    released.set()
    assert bench.in_flight(folder) == 4
    bench.finish(folder)
    assert bench.calls.total() == undisturbed.asked.total() + 4
    assert results(folder) == undisturbed.found


def test_a_stage_that_computes_stops_where_it_is(bench, undisturbed, tmp_path):
    folder = tmp_path / "run"
    run = bench.start(folder)
    assert run.until(line_with("embed: 20 rows in"))
    run.send(signal.SIGTERM)
    assert run.end() == 143
    assert run.lines["err"][-1].rstrip() == KEPT
    bench.finish(folder)
    assert results(folder) == undisturbed.found


def test_a_terminal_gets_its_cursor_back(bench, tmp_path):
    released = held_ratings(bench)
    run = bench.start(tmp_path / "run", terminal=True)
    assert run.until(nth_call(4, "rating"))
    run.send(signal.SIGINT)
    assert run.until(line_with("after the 4 calls in flight"))
    assert run.insist(signal.SIGINT) == 130
    released.set()
    shown = "".join(run.lines["err"])
    hidden = shown.rindex("\x1b[?25l")
    assert "\x1b[?25h" in shown[hidden:]
    assert shown.endswith(f"\n{LEFT}\r\n")


@pytest.mark.embedded
@pytest.mark.parametrize("moment", ["load: ", "rating with"])
def test_no_embedded_server_is_left_behind(bench, tmp_path, moment):
    """At the end of load the server starts and loads its model; the second moment is that of its calls."""
    bench.settings |= {"model": "embedded", "max_tokens": 40}
    del bench.settings["base_url"]
    run = bench.start(tmp_path / "run", terminal=True)
    assert run.until(line_with(moment))
    os.killpg(run.pid, signal.SIGINT)
    assert run.end() == 130
    assert run.lines["err"][-1].rstrip() == KEPT
    assert run.left_behind() == []
