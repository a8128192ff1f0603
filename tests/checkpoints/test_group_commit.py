import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from entp.checkpoints.sqlite.group_commit import GroupCommit
from entp.checkpoints.sqlite.migrations import Layout, Migration, open_database
from entp.records.errors import RunFolderError

ANIMALS = Migration("animals", "CREATE TABLE animals (name TEXT); INSERT INTO animals VALUES ('cat')")
FARM = Layout(file="farm.db", tag="FARM", migrations=(ANIMALS,))


@pytest.fixture
def farm(tmp_path):
    path = tmp_path / "farm.db"
    open_database(path, FARM).close()
    return path


class Farm:
    """A group commit into the farm whose first write waits until `go` is set."""

    def __init__(self, path, trouble=lambda name: None):
        self.connection = open_database(path, FARM)
        self.commits = 0
        self.connection.set_trace_callback(self._count)
        self.writing, self.go = threading.Event(), threading.Event()
        self.trouble = trouble
        self.undone = 0
        self.group = GroupCommit(self.connection, self._write, path=path, undone=self._undo)

    def _count(self, statement):
        self.commits += statement == "COMMIT"

    def _write(self, name):
        self.writing.set()
        assert self.go.wait(30)
        self.connection.execute("INSERT INTO animals VALUES (?)", (name,))
        self.trouble(name)
        return f"{name} is in"

    def _undo(self):
        self.undone += 1


def stored(path):
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT name FROM animals ORDER BY rowid").fetchall()
    connection.close()
    return [name for (name,) in found]


def test_all_that_arrive_during_a_commit_share_the_next(farm):
    async def run():
        barn = Farm(farm)
        first = asyncio.create_task(barn.group.add("first"))
        await asyncio.to_thread(barn.writing.wait)
        rest = [asyncio.create_task(barn.group.add(str(i))) for i in range(100)]
        await asyncio.sleep(0)
        assert stored(farm) == ["cat"]
        barn.go.set()
        await asyncio.gather(first, *rest)
        assert stored(farm) == ["cat", "first", *map(str, range(100))]
        assert barn.commits == 2
        barn.group.close()

    asyncio.run(run())


def test_close_writes_what_is_waiting_and_then_refuses(farm):
    async def run():
        barn = Farm(farm)
        adding = asyncio.gather(*(barn.group.add(name) for name in "abc"))
        await asyncio.sleep(0)
        barn.go.set()
        barn.group.close()
        assert stored(farm) == ["cat", "a", "b", "c"]
        await adding
        with pytest.raises(RunFolderError, match="closed"):
            await barn.group.add("d")
        barn.group.close()

    asyncio.run(run())


def test_a_cancelled_caller_does_not_take_its_item_back(farm):
    async def run():
        barn = Farm(farm)
        adding = [asyncio.create_task(barn.group.add(name)) for name in "ab"]
        await asyncio.to_thread(barn.writing.wait)
        adding[0].cancel()
        barn.go.set()
        await adding[1]
        assert adding[0].cancelled()
        barn.group.close()

    asyncio.run(run())
    assert stored(farm) == ["cat", "a", "b"]


@pytest.mark.parametrize(
    ("error", "raised"),
    [(ZeroDivisionError(), ZeroDivisionError), (sqlite3.DataError("odd"), RunFolderError)],
)
def test_a_failure_reaches_every_caller_and_the_next_group_is_written(farm, error, raised):
    def trouble(name):
        if name == "bad":
            raise error

    async def run():
        barn = Farm(farm, trouble)
        first = asyncio.create_task(barn.group.add("first"))
        await asyncio.to_thread(barn.writing.wait)
        both = asyncio.gather(barn.group.add("good"), barn.group.add("bad"), return_exceptions=True)
        await asyncio.sleep(0)
        barn.go.set()
        assert await first == "first is in"
        assert [type(outcome) for outcome in await both] == [raised, raised]
        assert barn.undone == 1
        assert await barn.group.add("later") == "later is in"
        barn.group.close()

    asyncio.run(run())
    assert stored(farm) == ["cat", "first", "later"]


def test_callers_of_several_event_loops_are_woken(farm):
    barn = Farm(farm)
    barn.go.set()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: asyncio.run(barn.group.add(name)), "abcdefgh"))
    barn.group.close()
    assert sorted(stored(farm)) == ["a", "b", "c", "cat", "d", "e", "f", "g", "h"]


def test_a_caller_whose_event_loop_is_gone_holds_nobody_up(farm):
    barn = Farm(farm)
    loop = asyncio.new_event_loop()
    orphan = loop.create_task(barn.group.add("orphan"))
    loop.call_soon(loop.stop)
    loop.run_forever()
    orphan.cancel()
    loop.run_until_complete(asyncio.gather(orphan, return_exceptions=True))
    loop.close()
    barn.go.set()
    asyncio.run(barn.group.add("next"))
    barn.group.close()
    assert stored(farm) == ["cat", "orphan", "next"]
