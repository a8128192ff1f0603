"""Ctrl-C and SIGTERM in two stages: the first lets calls in flight end, the second leaves at once."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

import click

if TYPE_CHECKING:
    from ..pipeline.run.run_folder import Run

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# by convention a shell's code for a process that a signal ended is this and the signal's number
CODE_OF_SIGNAL = 128
# one request to stop may come as several signals: timeout(1) sends its to the process and to its group
SAME_REQUEST_S = 0.25
# what ends the watcher is no signal's number
END = b"\0"
STDERR = 2
# what a progress bar has hidden
SHOW_CURSOR = "\x1b[?25h"
INTERRUPTED = "entp: interrupted; what was done is kept, the same command goes on from there"
LEFT = "entp: left at once; what was recorded is kept, the same command goes on from there"


@dataclass(frozen=True)
class _Work:
    """What the first signal stops: a task in its loop, and the run whose calls it makes."""

    loop: asyncio.AbstractEventLoop
    task: asyncio.Task[Any]
    run: Run


class Stopping:
    """What SIGINT and SIGTERM do inside the block; for the main thread.

    At the first one, calls in flight end and are recorded, and no other starts; then the command is ended by
    a KeyboardInterrupt. Where a stage computes, its process ends: what a kill leaves is what the next command
    goes on from, and an exception is not sure to arrive, since Python drops what is raised in a destructor.
    The second one, of either kind, ends the process, also in the midst of native code that lets threads run.

    `exit_code` is for a command that a KeyboardInterrupt ended.
    """

    def __init__(self) -> None:
        self.exit_code = CODE_OF_SIGNAL + signal.SIGINT
        self._asked = False
        self._work: _Work | None = None
        self._draining: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        # with nohup, or in the background of a script, SIGINT is ignored, and stays so
        heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._on_first) for number in heeded}
        self._numbers, self._wakeup = os.pipe()
        os.set_blocking(self._wakeup, False)
        self._wakeup_before = signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)
        self._watcher = threading.Thread(target=_watch, args=(self._numbers,), daemon=True)
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._wakeup_before)
        for number, handler in self._before.items():
            # asked to stop, the process has nothing left to do that a second signal should wait for
            signal.signal(number, signal.SIG_DFL if self._asked else handler)
        os.write(self._wakeup, END)
        self._watcher.join()
        os.close(self._wakeup)
        os.close(self._numbers)

    def run(self, run: Run, work: Coroutine[Any, Any, T]) -> T:
        """Run the coroutine that works on a run, as asyncio.run does."""
        if self._asked:  # and the exception was dropped
            work.close()
            raise KeyboardInterrupt
        try:
            return asyncio.run(self._held(run, work))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None

    async def _held(self, run: Run, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.current_task()
        assert task is not None
        self._work = _Work(asyncio.get_running_loop(), task, run)
        try:
            return await work
        finally:
            self._work = None

    def _on_first(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            return  # the second is the watcher's
        self._asked = True
        self.exit_code = CODE_OF_SIGNAL + number
        work = self._work
        if work is None:
            raise KeyboardInterrupt
        if asyncio.current_task(work.loop) is work.task:
            _leave(number, INTERRUPTED)
        work.loop.call_soon_threadsafe(self._drain, work)

    def _drain(self, work: _Work) -> None:
        if in_flight := work.run.admission.in_flight:
            calls = "the call" if in_flight == 1 else f"the {in_flight} calls"
            work.run.progress.say(f"entp: stopping after {calls} in flight; again to leave at once")
        self._draining = work.loop.create_task(_stop_when_quiet(work))


def finish(run: Run, work: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine that a command works on a run with, in a way that signals stop in two stages."""
    return click.get_current_context().ensure_object(Stopping).run(run, work)


async def _stop_when_quiet(work: _Work) -> None:
    await work.run.admission.close()
    # a reply is on its way to the ledger since the step in which it came; cancelling does not take it back
    work.task.cancel()


def _watch(numbers: int) -> None:
    """Read the numbers of signals as they arrive; leave at the second request to stop."""
    first: float | None = None
    while (read := os.read(numbers, 1)) != END:
        if read[0] not in SIGNALS:
            continue
        now = time.monotonic()
        if first is None:
            first = now
        elif now - first > SAME_REQUEST_S:
            _leave(read[0], LEFT)


def _leave(number: int, line: str) -> NoReturn:
    """End the process: no thread is waited for, and nothing that one of them holds is needed."""
    terminal = os.isatty(STDERR)
    os.write(STDERR, f"{SHOW_CURSOR if terminal else ''}\n{line}\n".encode())
    os._exit(CODE_OF_SIGNAL + number)
