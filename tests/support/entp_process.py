"""entp as a process that a test stops or kills at a moment of its choice."""

import os
import pty
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

CHILD = Path(__file__).with_name("entp_child.py")
# far more than any step takes, so that a test that waits for what never comes fails
PATIENCE_S = 120


class EntpProcess:
    """One command of entp, in a session of its own.

    What it prints arrives in `events` as ("out", line) and ("err", line), its end as ("end", exit code); the
    server that it asks may put its calls between them. With `terminal` its stderr is one.
    """

    def __init__(self, *args, terminal=False):
        self.events = queue.SimpleQueue()
        self.lines = {"out": [], "err": []}
        keyboard, screen = pty.openpty() if terminal else (None, subprocess.PIPE)
        self.process = subprocess.Popen(
            [sys.executable, CHILD, *map(str, args)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=screen,
            text=True,
            start_new_session=True,
        )
        self.pid = self.process.pid
        err = self.process.stderr
        if terminal:
            os.close(screen)
            err = os.fdopen(keyboard, encoding="utf-8", errors="replace", newline="")
        self._readers = [
            threading.Thread(target=self._read, args=(name, stream))
            for name, stream in (("out", self.process.stdout), ("err", err))
        ]
        self._waiter = threading.Thread(target=self._wait)
        for thread in (*self._readers, self._waiter):
            thread.start()

    def until(self, moment, within_s=None):
        """Take events up to the first for which `moment(kind, value)` holds, or so many seconds.

        False where the process ended before.
        """
        while True:
            try:
                kind, value = self.events.get(timeout=within_s or PATIENCE_S)
            except queue.Empty:
                assert within_s, f"nothing happened in {PATIENCE_S} s: {self.lines}"
                return True
            if kind == "end":
                self.events.put((kind, value))
                return False
            if moment(kind, value):
                return True

    def send(self, number):
        """Send a signal to the process alone."""
        self.process.send_signal(number)

    def insist(self, number):
        """Send a signal until the process has ended; the exit code."""
        while self.process.poll() is None:
            self.process.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
        return self.end()

    def kill(self):
        """Kill it as a crash would; returns when it is gone."""
        self.process.kill()
        return self.end()

    def end(self):
        """Wait for the end; the exit code, negative where a signal ended it."""
        self._waiter.join(PATIENCE_S)
        if self._waiter.is_alive():
            self.process.send_signal(signal.SIGABRT)
            raise AssertionError(f"it does not end: {self.lines}")
        return self.process.returncode

    def left_behind(self):
        """The processes of its session that do not end after it."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := self._session()) and time.monotonic() < deadline:
            time.sleep(0.01)
        return found

    def _session(self):
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:  # it has just gone
                continue
            if int(fields[3]) == self.pid and fields[0] != "Z":
                found.append(stat.parent.name)
        return found

    def _read(self, name, stream):
        with stream, suppress(OSError):  # the end of a terminal is an error
            for line in stream:
                self.lines[name].append(line)
                self.events.put((name, line))

    def _wait(self):
        for reader in self._readers:
            reader.join()
        self.events.put(("end", self.process.wait()))
