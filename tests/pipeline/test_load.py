"""What `load` says of a pool, source by source."""

from __future__ import annotations

import asyncio
import json

from entp.pipeline.ahead.job import bring_up_to_date
from entp.pipeline.stages.order import open_run, stage_named


def test_rows_rounds_and_words_of_each_source(tmp_path):
    short = [{"role": "user", "content": "one two"}, {"role": "assistant", "content": "three"}]
    long = [
        {"role": "system", "content": "not counted"},
        *short,
        {"role": "user", "content": "a b c d"},
        {"role": "assistant", "content": "e f g\nh i"},
    ]
    rows = [
        {"id": "1", "source": "b", "messages": short},
        {"id": "2", "source": "a", "messages": short},
        {"id": "3", "source": "b", "messages": long},
    ]
    pool = tmp_path / "pool.jsonl"
    pool.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with open_run(tmp_path / "run", {"pool": (str(pool),)}, create=True) as run:
        end = asyncio.run(bring_up_to_date(run, stage_named("load")))
    found = [tuple(source.model_dump().values()) for source in end.findings.sources]
    # of b: 3 user turns of 8 words and 3 answers of 7 in 2 rows
    assert found == [("b", 2, 1.5, 2.7, 2.3), ("a", 1, 1.0, 2.0, 1.0)]
    (table,) = stage_named("load").lines(end.findings)
    assert table.header == ("source", "rows", "rounds", "words a prompt", "words a response")
    assert table.rows == found
