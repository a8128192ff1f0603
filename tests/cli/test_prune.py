"""entp prune, as the shell sees it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

from entp.pipeline.stages.order import open_run


def test_prune_tells_each_file_before_and_after(entp_command, arguments, tmp_path):
    entp_command("run", *arguments, "--keep-checkpoints", "all")
    at = ["--run", tmp_path / "run"]
    code, out, _ = entp_command("prune", *at, "--keep-checkpoints", "last", "--dry-run")
    assert code == 0
    assert out.startswith("would remove ")
    size = (tmp_path / "run" / "checkpoints.db").stat().st_size
    code, out, _ = entp_command("prune", *at, "--keep-checkpoints", "last", "--json")
    told = json.loads(out)
    assert code == 0
    now = (tmp_path / "run" / "checkpoints.db").stat().st_size
    assert told["files"]["checkpoints.db"] == {"before": size, "after": now}
    assert now < size
    code, out, _ = entp_command("prune", *at, "--keep-checkpoints", "none")
    assert code == 0
    assert out.startswith("removed 2 checkpoints, 2 whole threads and 0 files of embeddings\n")
    assert f"{'checkpoints.db':<15}" in out


def test_prune_waits_for_nobody(entp_command, arguments, tmp_path):
    entp_command("load", arguments[0], "--run", tmp_path / "run")
    with open_run(tmp_path / "run"):
        code, out, err = entp_command("prune", "--run", tmp_path / "run")
    assert (code, out) == (1, "")
    assert "in use by process" in err
    assert err.count("\n") == 1


def test_prune_says_what_is_no_checkpoint_file(entp_command, arguments, tmp_path):
    entp_command("load", arguments[0], "--run", tmp_path / "run")
    with closing(sqlite3.connect(tmp_path / "run" / "checkpoints.db")) as connection, connection:
        connection.execute("CREATE TABLE other (name TEXT)")
    code, _, err = entp_command("prune", "--run", tmp_path / "run")
    assert code == 1
    assert "is not ENTP's checkpoints.db" in err
