"""Runs that are disturbed at moments drawn by a seed, and what that costs them."""

import resource
import signal
from dataclasses import dataclass, field

from paid_calls import calls_on_disk, results

STAGES = ("load", "rate", "embed", "score", "select", "fuse", "blend")
# of one folder, so that every run comes to an end
MOST_STOPS = 6
# about what an undisturbed run takes
RUN_S = 8.0
# about that of its ledger
LARGEST_FILE = 400_000


@dataclass
class Tally:
    """What disturbances did. `problems` says what should not have been."""

    what: str
    runs: int = 0
    stops: int = 0
    rows_lost: int = 0
    rows_doubled: int = 0
    calls_repeated: int = 0
    most_in_flight: int = 0
    problems: list[str] = field(default_factory=list)

    def row(self):
        return (
            f"{self.what:30} {self.runs:5} {self.stops:6} {self.rows_lost:10} {self.rows_doubled:13} "
            f"{self.calls_repeated:15} {self.most_in_flight:15}"
        )


HEADER = (
    f"{'disturbance':30} {'runs':>5} {'stops':>6} {'rows lost':>10} {'rows doubled':>13} "
    f"{'calls repeated':>15} {'most in flight':>15}"
)


def nth_call(number, operator=""):
    """The moment at which the server has been asked so often by an operator, or by any."""
    left = number

    def moment(kind, value):
        nonlocal left
        left -= kind == "call" and operator in value
        return left <= 0

    return moment


def line_with(text):
    """The moment at which a line with this text is printed."""
    return lambda kind, value: kind in {"out", "err"} and text in value


def reach(run, draw, calls):
    """Let a run come to a moment that is drawn: after a call, after the end of a stage, or after a time.

    False where it ended before. `calls` is how many it may still make.
    """
    chosen = draw.random()
    if chosen < 0.6 and calls:
        return run.until(nth_call(draw.randint(1, calls)))
    if chosen < 0.85:
        later_s = draw.uniform(0, 0.5)
        return run.until(line_with(f"{draw.choice(STAGES)}: ")) and run.until(never, within_s=later_s)
    return run.until(never, within_s=draw.uniform(0, RUN_S))


def never(kind, value):
    """The moment that does not come."""
    return False


def kill(run):
    """A crash."""
    run.kill()
    return


def ask_once(number):
    """A signal that asks a run to stop; the line that it must end with."""

    def ask(run):
        run.send(number)
        # before the command has begun the signal itself ends the process, which is the same to a shell
        return f"exit code {run.end()}" if run.end() not in {128 + number, -number} else None

    return ask


def ask_twice(run):
    """Ctrl-C, and again until it is gone."""
    code = run.insist(signal.SIGINT)
    return f"exit code {code}" if code not in {128 + signal.SIGINT, -signal.SIGINT} else None


def fill_disk(draw):
    """Let no file of the run grow beyond a size that is drawn, as when its disk is full."""

    def fill(run):
        limit = draw.randint(0, LARGEST_FILE)
        resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (limit, limit))
        return _failed_in_one_line(run)

    return fill


def send_server_away(bench):
    """Stop the server until the run has given up, then start it again at the same address."""

    def away(run):
        bench.server.stop()
        problem = _failed_in_one_line(run)
        bench.server_is_back()
        return problem

    return away


def _failed_in_one_line(run):
    code, err = run.end(), "".join(run.lines["err"])
    if code == 0:  # nothing was left to be written or asked
        return None
    last = run.lines["err"][-1]
    fine = code == 1 and last.startswith("entp: ") and "Traceback" not in err
    return None if fine else f"exit code {code}, {err[-2000:]}"


def disturb(bench, undisturbed, folder, draw, tally, stop, most_stops):
    """Take one run to its end, stopping it up to so often by `stop(run)` at moments that are drawn."""
    tally.runs += 1
    bench.renew()
    total = undisturbed.asked.total()
    stops = 0
    lost = 0
    while True:
        run = bench.start(folder)
        may_stop = stops < min(most_stops, MOST_STOPS)
        if not may_stop or not reach(run, draw, total - calls_on_disk(folder)):
            break
        problem = stop(run)
        stops += 1
        now = bench.in_flight(folder)
        tally.most_in_flight = max(tally.most_in_flight, now - lost)
        lost = now
        _note(tally, folder, problem, left=run.left_behind())
    code = run.end()
    _note(tally, folder, f"ended with {code}: {run.lines['err'][-1:]}" if code else None)
    tally.stops += stops
    tally.calls_repeated += bench.calls.total() - total
    compare(bench, undisturbed, folder, tally, lost)


def compare(bench, undisturbed, folder, tally, lost):
    """Hold a run that has ended against the undisturbed one; `lost` calls may have been repeated."""
    found = results(folder)
    lines, wanted = (each["training file"].splitlines() for each in (found, undisturbed.found))
    tally.rows_lost += len(set(wanted) - set(lines))
    tally.rows_doubled += len(lines) - len(set(lines))
    different = [name for name in undisturbed.found if found[name] != undisturbed.found[name]]
    repeated = bench.calls.total() - undisturbed.asked.total()
    _note(tally, folder, f"differs in {', '.join(different)}" if different else None)
    _note(tally, folder, f"{repeated} calls repeated, {lost} in flight" if repeated > lost else None)
    _note(tally, folder, "asked other things" if set(bench.calls.asked) != set(undisturbed.asked) else None)
    for problem in bench.verify(folder):
        _note(tally, folder, problem)


def _note(tally, folder, problem, left=()):
    if problem:
        tally.problems.append(f"{tally.what}, {folder.name}: {problem}")
    if left:
        tally.problems.append(f"{tally.what}, {folder.name}: processes {', '.join(left)} left behind")
