"""A disk that fills, a server that goes away: told in one line, and the same command goes on afterwards."""

import resource
import signal

import pytest

from disturbed import Tally, compare, nth_call


def in_one_line(run):
    """The last line of a run that failed, which is all that it says of its failure."""
    assert run.end() == 1, run.lines
    assert "Traceback" not in "".join(run.lines["err"])
    return run.lines["err"][-1].rstrip()


def check(bench, undisturbed, folder, lost):
    tally = Tally("shortage")
    bench.finish(folder)
    compare(bench, undisturbed, folder, tally, lost)
    assert tally.problems == []


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="the limit of another process is Linux's")
def test_a_disk_that_fills(bench, undisturbed, tmp_path):
    folder = tmp_path / "run"
    run = bench.start(folder)
    assert run.until(nth_call(9))
    resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (0, 0))
    last = in_one_line(run)
    assert last.startswith(f"entp: {folder}/")
    assert last.endswith("and run again")
    check(bench, undisturbed, folder, lost=bench.in_flight(folder))


def test_a_server_that_goes_away(bench, undisturbed, tmp_path):
    folder = tmp_path / "run"
    bench.finish(folder, last="select")
    run = bench.start(folder)
    assert run.until(nth_call(20))
    bench.server.stop()
    run.send(signal.SIGINT)  # rather than wait until it has tried often enough
    assert run.end() == 130
    bench.server_is_back()
    assert bench.in_flight(folder) == 0
    check(bench, undisturbed, folder, lost=0)
