"""The lock of a run folder, between processes and within one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from entp.pipeline.run.lock import LOCK_FILE, locked
from entp.records.errors import RunFolderError

HOLD = """
import sys, time
from pathlib import Path
from entp.pipeline.run.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(300)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of the test's folder."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_who_holds_it_is_named_and_left_in_peace(holder, tmp_path):
    for _ in range(2):
        with pytest.raises(RunFolderError, match=f"in use by process {holder.pid}"), locked(tmp_path):
            pass
    assert (tmp_path / LOCK_FILE).read_text() == str(holder.pid)


def test_it_is_free_once_its_holder_is_killed(holder, tmp_path):
    holder.send_signal(signal.SIGKILL)
    holder.wait(60)
    with locked(tmp_path):
        assert (tmp_path / LOCK_FILE).read_text() == str(os.getpid())


def test_one_process_holds_it_once_and_then_again(tmp_path):
    with (
        locked(tmp_path),
        pytest.raises(RunFolderError, match=f"in use by process {os.getpid()}"),
        locked(tmp_path),
    ):
        pass
    with locked(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match=r"file cannot be written: "), locked(tmp_path / "file"):
        pass
