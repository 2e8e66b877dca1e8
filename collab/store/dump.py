"""Rows of the database as JSON and back: both databases hold the same, so a backup of one restores into the other."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import groupby, islice
from typing import Any

from sqlalchemy import Connection, LargeBinary, Table, func, insert, select, text

from collab.errors import Conflict, StorageUnavailable
from collab.store import migrate
from collab.store.tables import (
    Moment,
    api_key,
    audit,
    checkpoint,
    document,
    history_segment,
    retired_lineage,
    revocation,
    snapshot,
    update_log,
)

TABLES: Mapping[str, Table] = {
    f"{table.name}": table
    for table in (
        document,
        history_segment,
        update_log,
        checkpoint,
        snapshot,
        retired_lineage,
        api_key,
        audit,
        revocation,
    )
}
"""By plain strings (SQLAlchemy's names are more than that), in an order in which foreign keys hold.

Answers to repeated calls (`idempotency_key`) live a day and are left out.
"""

Row = dict[str, Any]
Each = Callable[[str, Row], None]
"""Takes a table's name and a row of it."""

ROWS_READ = 50  # a row may hold a whole state
ROWS_WRITTEN = 200


def copy_all(connection: Connection, begin: Callable[[str, int], Each]) -> None:
    """Hands over every row of every table. `begin` is told the schema and how many documents there are first.

    Raises StorageUnavailable if there is no database of ours.
    """
    schema = migrate.current(connection)
    if schema is None:
        raise StorageUnavailable("there is no collab database here")
    count = select(func.count()).select_from(document)
    each = begin(schema, int(connection.execute(count).scalar_one()))
    for name, table in TABLES.items():
        _copy(connection, name, table, each)


def _copy(connection: Connection, name: str, table: Table, each: Each) -> None:
    convert = {f"{column.name}": _to_json(column.type) for column in table.columns}
    query = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=ROWS_READ)
    for row in connection.execute(query).mappings():
        each(name, {field: None if row[field] is None else change(row[field]) for field, change in convert.items()})


def fill(connection: Connection, rows: Iterable[tuple[str, Row]]) -> None:
    """Puts rows into an empty database, in the order given. Raises Conflict if it is not empty."""
    if any(connection.execute(select(table).limit(1)).first() for table in TABLES.values()):
        raise Conflict("the database is not empty: a backup is restored into a new one")
    for name, run in groupby(rows, key=lambda named: named[0]):
        while some := [row for _, row in islice(run, ROWS_WRITTEN)]:
            _put(connection, TABLES[name], some)
    if connection.dialect.name == "postgresql":  # SQLite numbers new documents after the ones put in by itself
        newest = "(SELECT coalesce(max(key), 0) + 1 FROM document)"
        connection.execute(text(f"SELECT setval(pg_get_serial_sequence('document', 'key'), {newest}, false)"))


def _put(connection: Connection, table: Table, rows: list[Row]) -> None:
    convert = {f"{column.name}": _from_json(column.type) for column in table.columns}
    connection.execute(
        insert(table),
        [
            {field: None if row[field] is None else change(row[field]) for field, change in convert.items()}
            for row in rows
        ],
    )


def _to_json(kind: Any) -> Callable[[Any], Any]:
    if isinstance(kind, LargeBinary):
        return lambda value: base64.b64encode(value).decode()
    return (lambda moment: moment.isoformat()) if isinstance(kind, Moment) else lambda value: value


def _from_json(kind: Any) -> Callable[[Any], Any]:
    if isinstance(kind, LargeBinary):
        return base64.b64decode
    return datetime.fromisoformat if isinstance(kind, Moment) else lambda value: value
