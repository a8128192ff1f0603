"""A run's tables as any SQLite program sees them: what tests look at and damage."""

import sqlite3
from contextlib import closing
from pathlib import Path


def query(folder: Path, sql: str, *values, file: str = "run.db") -> list[dict]:
    """The records of a query, by column."""
    with closing(sqlite3.connect(folder / file, timeout=30)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql, values)]


def first(folder: Path, sql: str, *values) -> dict | None:
    """The first record of a query."""
    return next(iter(query(folder, sql, *values)), None)


def count(folder: Path, table: str) -> int:
    """How many records a table has."""
    return query(folder, f"SELECT count(*) AS n FROM {table}")[0]["n"]


def change(folder: Path, sql: str, *values, file: str = "run.db") -> int:
    """Change a table behind ENTP's back; how many records were."""
    with closing(sqlite3.connect(folder / file, timeout=30)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = ON")
        return connection.execute(sql, values).rowcount
