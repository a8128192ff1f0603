import asyncio
import dataclasses
import json
import operator
import sqlite3
import uuid
import zlib
from typing import Annotated

import ormsgpack
import pytest
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from pydantic import BaseModel
from typing_extensions import TypedDict

from entp.checkpoints import open_ledger, open_saver, thread_id
from entp.records.errors import RunFolderError


@dataclasses.dataclass
class Spy:
    """An object whose making is seen."""

    made = []
    name: str

    def __post_init__(self):
        self.made.append(self.name)


class Model(BaseModel):
    name: str


@pytest.fixture
def path(tmp_path):
    return tmp_path / "checkpoints.db"


def config(name="fusion"):
    return {"configurable": {"thread_id": thread_id(name), "checkpoint_ns": ""}}


def checkpoint_of(value):
    return empty_checkpoint() | {"channel_values": {"value": value}}


async def put(saver, value):
    await saver.aput(config(), checkpoint_of(value), {"source": "input", "step": 0, "parents": {}}, {})


async def read(path):
    async with open_saver(path) as saver:
        return (await saver.aget_tuple(config())).checkpoint["channel_values"]["value"]


def test_json_values_come_back_as_they_were(path):
    value = {"turns": [{"role": "user", "content": "ü 🎈"}], "loss": 2, "share": 0.5, "none": None}

    async def run():
        async with open_saver(path) as saver:
            await put(saver, value)
        assert await read(path) == value

    asyncio.run(run())


def test_an_object_in_a_foreign_checkpoint_is_not_made(path):
    async def run():
        async with open_saver(path) as saver:
            # as a saver without our setting writes and reads
            saver.serde = JsonPlusSerializer(allowed_msgpack_modules=True)  # unzipped, too
            await put(saver, {"spy": Spy("written"), "model": Model(name="m")})
            await saver.aget_tuple(config())
            assert Spy.made == ["written", "written"]  # the loose saver does make it again
            Spy.made.clear()
        assert await read(path) == {"spy": {"name": "written"}, "model": {"name": "m"}}
        assert Spy.made == []

    Spy.made.clear()
    asyncio.run(run())


def test_what_repeats_takes_little_space(path):
    value = ["a text that every attempt of a variant repeats"] * 200

    async def run():
        async with open_saver(path) as saver:
            await put(saver, value)
        assert await read(path) == value

    asyncio.run(run())
    connection = sqlite3.connect(path)
    ((kind, size),) = connection.execute("SELECT type, length(checkpoint) FROM checkpoints").fetchall()
    connection.close()
    assert kind == "msgpack+zlib"
    assert size < 1000


def test_a_checkpoint_that_another_program_has_encrypted_is_not_read(path):
    async def run():
        async with open_saver(path) as saver:
            await put(saver, None)
            await saver.conn.execute("UPDATE checkpoints SET type = 'msgpack+aes'")
            await saver.conn.commit()
        with pytest.raises(ValueError, match="aes"):
            await read(path)

    asyncio.run(run())


@pytest.mark.parametrize("form", ["msgpack", "msgpack+zlib"])
@pytest.mark.parametrize("code", [0, 1, 2, 4, 5])  # the forms in which msgpack carries a constructor
def test_code_in_a_foreign_checkpoint_is_not_run(path, tmp_path, code, form):
    folder = tmp_path / "made by the checkpoint"
    argument = {0: str(folder), 1: [str(folder)]}.get(code, {"path": str(folder)})
    call = ormsgpack.packb(("os", "mkdir", argument, "model_validate_json"))
    content = ormsgpack.packb(checkpoint_of(ormsgpack.Ext(code, call)))
    if form == "msgpack+zlib":
        content = zlib.compress(content)

    async def run():
        async with open_saver(path) as saver:
            await put(saver, None)
            await saver.conn.execute("UPDATE checkpoints SET type = ?, checkpoint = ?", (form, content))
            await saver.conn.commit()
        await read(path)
        assert not folder.exists()

    asyncio.run(run())


def test_code_in_a_checkpoint_of_the_old_json_form_is_not_run(path, tmp_path):
    folder = tmp_path / "made by the checkpoint"
    call = {"lc": 2, "type": "constructor", "id": ["os", "mkdir"], "args": [str(folder)]}

    async def run():
        async with open_saver(path) as saver:
            await put(saver, None)
            content = json.dumps(checkpoint_of(call)).encode()
            await saver.conn.execute("UPDATE checkpoints SET type = 'json', checkpoint = ?", (content,))
            await saver.conn.commit()
        await read(path)
        assert not folder.exists()

    asyncio.run(run())


class Variants(TypedDict):
    variants: Annotated[dict[str, str], operator.or_]
    collected: list[str]


def fusion(ran, broken=False):
    """A graph that fans out, as a fusion does; while it is `broken`, its last step fails."""

    def fan_out(state):
        return [Send("variant", {"name": name}) for name in ("a", "b", "c")]

    def variant(state):
        ran.append(state["name"])
        return {"variants": {state["name"]: state["name"].upper()}}

    def collect(state):
        ran.append("collect")
        if broken:
            raise ConnectionError
        return {"collected": sorted(state["variants"].values())}

    graph = StateGraph(Variants)
    graph.add_node("variant", variant)
    graph.add_node("collect", collect)
    graph.add_conditional_edges(START, fan_out, ["variant"])
    graph.add_edge("variant", "collect")
    graph.add_edge("collect", END)
    return graph


def test_a_graph_goes_on_from_the_file_where_it_stopped(path):
    async def run():
        ran = []
        async with open_saver(path) as saver:
            with pytest.raises(ConnectionError):
                await fusion(ran, broken=True).compile(saver).ainvoke({"variants": {}}, config())
        assert sorted(ran) == ["a", "b", "c", "collect"]
        ran.clear()
        async with open_saver(path) as saver:
            state = await fusion(ran).compile(saver).ainvoke(None, config())
        assert state["collected"] == ["A", "B", "C"]
        assert ran == ["collect"]

    asyncio.run(run())


def test_the_connection_is_ours(path):
    async def pragma(saver, name):
        async with saver.conn.execute(f"PRAGMA {name}") as cursor:
            return (await cursor.fetchone())[0]

    async def run():
        async with open_saver(path) as saver:
            assert await pragma(saver, "journal_mode") == "wal"
            assert await pragma(saver, "synchronous") == 1
            assert await pragma(saver, "busy_timeout") == 60_000

    asyncio.run(run())


def test_it_is_closed_at_the_end_whatever_happens(path):
    async def run():
        with pytest.raises(ZeroDivisionError):
            async with open_saver(path) as saver:
                raise ZeroDivisionError
        with pytest.raises(ValueError, match=r"[Cc]losed|no active connection"):
            await saver.conn.execute("SELECT 1")

    asyncio.run(run())


def test_many_threads_of_work_share_a_file(path):
    async def run():
        async with open_saver(path) as saver:
            graph = fusion([]).compile(saver)
            states = await asyncio.gather(
                *(graph.ainvoke({"variants": {}}, config(str(number))) for number in range(20))
            )
            assert all(state["collected"] == ["A", "B", "C"] for state in states)

    asyncio.run(run())


def refusal(path):
    async def run():
        async with open_saver(path):
            pass

    with pytest.raises(RunFolderError) as caught:
        asyncio.run(run())
    return str(caught.value)


def test_another_file_of_the_run_is_refused_as_it_was(tmp_path):
    open_ledger(tmp_path / "calls.db").close()
    before = (tmp_path / "calls.db").read_bytes()
    assert "is not ENTP's checkpoints.db" in refusal(tmp_path / "calls.db")
    assert (tmp_path / "calls.db").read_bytes() == before


def test_a_file_that_is_no_database_is_refused(path):
    path.write_text("not a database\n" * 100)
    assert "not an SQLite file" in refusal(path)


def test_a_missing_folder_is_named(tmp_path):
    assert "folder exists" in refusal(tmp_path / "nowhere" / "checkpoints.db")


def test_thread_ids_are_lasting_uuids():
    # a change here would cut every stored run off from its checkpoints
    assert thread_id("fusion-1") == str(uuid.UUID(thread_id("fusion-1")))
    assert thread_id("fusion-1") == "f76b05ed-4783-51af-842a-583cf64e7f67"
    assert uuid.UUID(thread_id("fusion-1")).version == 5
    assert len({thread_id(str(number)) for number in range(1000)}) == 1000
