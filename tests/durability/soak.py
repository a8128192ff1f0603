"""The long trial, `make soak`: forty kills and every other disturbance, at moments drawn by a seed.

Its name keeps it out of `make test`.
"""

import random
import signal

import click
import pytest

from disturbed import (
    HEADER,
    Tally,
    ask_once,
    ask_twice,
    disturb,
    fill_disk,
    kill,
    send_server_away,
)
from paid_calls import delay_of, slow_delay_of

SEED = 20
# what, how often in all, at most so often in one run
PLAN = (
    ("SIGKILL", 40, 6),
    ("SIGINT, once", 6, 3),
    ("SIGTERM, once", 4, 2),
    ("SIGINT, twice", 6, 3),
    ("disk full", 6, 3),
    ("server away", 3, 2),
)
DRAINS = ("SIGINT, once", "SIGTERM, once")


@pytest.mark.timeout(3600)
def test_disturbed_runs_find_what_undisturbed_ones_find(bench, undisturbed, tmp_path, capfd):
    draw = random.Random(SEED)
    stops = {
        "SIGKILL": kill,
        "SIGINT, once": ask_once(signal.SIGINT),
        "SIGTERM, once": ask_once(signal.SIGTERM),
        "SIGINT, twice": ask_twice,
        "disk full": fill_disk(draw),
        "server away": send_server_away(bench),
    }
    tallies = []
    with capfd.disabled():
        click.echo(f"\n{HEADER}")
        for what, wanted, in_one_run in PLAN:
            tally = Tally(what)
            while tally.stops < wanted:
                folder = tmp_path / f"{what.replace(', ', '-').replace(' ', '-')}-{tally.runs}"
                bench.delay = slow_delay_of if what == "SIGINT, twice" else delay_of
                disturb(
                    bench,
                    undisturbed,
                    folder,
                    draw,
                    tally,
                    stops[what],
                    min(in_one_run, wanted - tally.stops),
                )
                click.echo(f"\r{tally.row()}", nl=False)
            click.echo()
            for problem in tally.problems:
                click.echo(f"  {problem}")
            tallies.append(tally)
    assert [problem for tally in tallies for problem in tally.problems] == []
    assert sum(tally.rows_lost + tally.rows_doubled for tally in tallies) == 0
    assert all(tally.calls_repeated == 0 for tally in tallies if tally.what in DRAINS)
