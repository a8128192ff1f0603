from __future__ import annotations

from dataclasses import replace

import pytest

from entp.checkpoints.sqlite.migrations import open_database
from entp.checkpoints.sqlite.run_schema import RUN


@pytest.mark.parametrize(("abstains", "kept"), [("true", None), ("false", 0.25)])
def test_a_run_that_abstained_loses_the_confidence_it_did_not_have(tmp_path, abstains, kept):
    path = tmp_path / "run.db"
    before = open_database(path, replace(RUN, migrations=RUN.migrations[:3]))
    before.execute("INSERT INTO scores VALUES ('a', 1, 2, 0.25, 'LQ', 'math')")
    before.execute(
        "INSERT INTO stages VALUES ('score', '', '', '', '{}', ?, '')", (f'{{"abstains": {abstains}}}',)
    )
    before.close()
    after = open_database(path, RUN)
    columns = "row_id, score, corrected, quality, content_class, confidence"
    assert tuple(after.execute(f"SELECT {columns} FROM scores").fetchone()) == ("a", 1, 2, "LQ", "math", kept)
    after.close()
