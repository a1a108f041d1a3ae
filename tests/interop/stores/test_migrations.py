"""The tables of the code and those that the revisions make are the same, from whatever revision one begins."""

from __future__ import annotations

import asyncio

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from voicegw.storage.config import StoreConfig
from voicegw.storage.database import Database
from voicegw.storage.migrate import alembic_config
from voicegw.storage.migrations import newest_revision, revision_of
from voicegw.storage.schema_check import differences


def revisions() -> list[str]:
    return sorted(one.revision for one in ScriptDirectory.from_config(alembic_config()).walk_revisions())


@pytest.mark.parametrize("begin", revisions())
def test_every_revision_leads_to_the_tables_of_the_code(new_config: StoreConfig, begin: str) -> None:
    async def main() -> list[object]:
        database = Database(new_config)
        await database.migrate(begin)
        await database.migrate()
        await database.migrate()
        async with database.read() as connection:
            found = await connection.run_sync(differences)
        await database.close()
        return found

    assert asyncio.run(main()) == []


def test_a_database_tells_its_revision_without_alembic(new_config: StoreConfig) -> None:
    async def main() -> list[str | None]:
        database = Database(new_config)
        found = []
        for revision in ("", "0001", "head"):
            if revision:
                await database.migrate(revision)
            async with database.read() as connection:
                found.append(await connection.run_sync(revision_of))
        await database.close()
        return found

    assert asyncio.run(main()) == [None, "0001", newest_revision()]
    assert newest_revision() == ScriptDirectory.from_config(alembic_config()).get_current_head()


def test_calls_of_the_first_revision_are_found_by_words_after_the_second(new_config: StoreConfig) -> None:
    async def main() -> int:
        database = Database(new_config)
        await database.migrate("0001")
        async with database.write() as connection:
            await connection.run_sync(_put_old_call)
        await database.migrate()
        async with database.read() as connection:
            rows = await connection.scalar(text("SELECT count(*) FROM call_words"))
        await database.close()
        return int(rows)

    assert asyncio.run(main()) == 1


def test_two_nodes_that_start_at_once_migrate_once(new_config: StoreConfig) -> None:
    async def main() -> None:
        nodes = [Database(new_config), Database(new_config)]
        await asyncio.gather(*(node.migrate() for node in nodes))
        for node in nodes:
            await node.close()

    asyncio.run(main())


def _put_old_call(connection: Connection) -> None:
    values: dict[str, object] = {}
    for column in inspect(connection).get_columns("calls"):
        kind = str(column["type"]).upper()
        if column["name"] == "number" or column["nullable"]:
            continue
        is_bytes = kind.startswith(("BYTEA", "BLOB"))
        values[column["name"]] = b"" if is_bytes else False if kind == "BOOLEAN" else 0 if "INT" in kind else "x"
    names = ", ".join(values)
    connection.execute(text(f"INSERT INTO calls ({names}) VALUES (:{', :'.join(values)})"), values)
