"""Files that a stage was writing when it was killed, or when the disk was full."""

from __future__ import annotations

import errno
import os
import sys

import pytest

from entp.formats.export import write_rows
from entp.pipeline.stages.order import look_at_run
from entp.records.errors import RunFolderError, UsageError
from tables import count


def test_a_training_file_is_its_runs_own_though_killed_before_its_mark(run_whole, tmp_path, monkeypatch):
    def killed(*args, **options):
        write_rows(*args, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("entp.formats.export.write_rows", killed)
        with pytest.raises(KeyboardInterrupt):
            run_whole()
    folder = tmp_path / "run"
    written = (folder / "hq+entp.jsonl").read_bytes()
    (folder / ".hq+entp.jsonl.0123abcd.part").write_bytes(written[:100])
    run_whole()
    assert (folder / "hq+entp.jsonl").read_bytes() == written
    assert not list(folder.glob(".*.part"))


def test_an_export_that_fails_claims_no_file(run_whole, tmp_path):
    target = tmp_path / "train.csv"
    with pytest.raises(UsageError, match="unknown ending"):
        run_whole(out=str(target))
    with look_at_run(tmp_path / "run") as run:
        assert count(run.folder, "exports") == 0


@pytest.mark.skipif(sys.platform != "linux", reason="space is reserved on Linux only")
def test_a_full_disk_is_told_before_vectors_are_written_to_a_map_of_it(
    run_whole, tmp_path, monkeypatch, encoder
):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        with pytest.raises(RunFolderError, match="vectors of 20 rows cannot be written: No space left"):
            run_whole()
    assert encoder.encoded == 0
    run_whole()
    assert encoder.encoded == 20
    assert not list((tmp_path / "run").glob("*.part"))
