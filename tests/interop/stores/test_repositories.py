"""Every repository on SQLite and on PostgreSQL: the same answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy import update

from voicegw.storage.admin import Secret, Trunk
from voicegw.storage.audit import AuditFilter, AuditNote
from voicegw.storage.config import StoreConfig
from voicegw.storage.documents import VersionState
from voicegw.storage.errors import Conflict, NotFound, StoreUnavailable
from voicegw.storage.store import Store
from voicegw.storage.tables.people import audit
from voicegw.storage.users import ApiKey, OneTimeToken, Session, User
from voicegw.storage.webhooks import Attempt, DeliveryState, Subscription

ANN = User("u1", "ann", 1, 1, roles=("admin",), numbers=("100", "2*"))


@asynccontextmanager
async def opened(config: StoreConfig) -> AsyncIterator[Store]:
    store = Store(config)
    await store.start()
    try:
        yield store
    finally:
        await store.close()


def run(config: StoreConfig, body: Callable[[Store], Awaitable[None]]) -> None:
    async def main() -> None:
        async with opened(config) as store:
            await body(store)

    asyncio.run(main())


def test_documents_go_from_draft_to_published_and_back(config: StoreConfig) -> None:
    async def body(store: Store) -> None:
        async with store.write() as unit:
            first = await unit.documents.save("agent", "desk", b"a: 1\n", author="ann", now_wall_ms=1)
            assert first == await unit.documents.save("agent", "desk", b"a: 1\n", author="bob", now_wall_ms=2)
            await unit.documents.publish("agent", "desk", 1, author="ann", now_wall_ms=3)
            await unit.documents.save("agent", "desk", b"a: 2\n", author="ann", now_wall_ms=4)
        async with store.write() as unit:
            assert (await unit.documents.published("agent"))["desk"].content == b"a: 1\n"
            await unit.documents.publish("agent", "desk", 2, author="ann", now_wall_ms=5)
            assert await unit.documents.diff("agent", "desk", 1, 2) == (
                "--- agent/desk (version 1)\n+++ agent/desk (version 2)\n@@ -1 +1 @@\n-a: 1\n+a: 2\n"
            )
            await unit.documents.publish("agent", "desk", 1, author="bob", now_wall_ms=6)
            states = [(one.version, one.state) for one in await unit.documents.versions("agent", "desk")]
            assert states == [(2, VersionState.ARCHIVED), (1, VersionState.PUBLISHED)]
            await unit.documents.archive("agent", "desk", now_wall_ms=7)
            assert await unit.documents.published("agent") == {}
            assert [one.name for one in await unit.documents.page("agent")] == ["desk"]

    run(config, body)


def test_a_document_is_saved_by_one_of_two_who_began_with_the_same_version(config: StoreConfig) -> None:
    async def save(store: Store, content: bytes) -> None:
        async with store.write() as unit:
            await unit.documents.save("agent", "desk", content, author="x", now_wall_ms=1, expected_latest=1)

    async def body(store: Store) -> None:
        async with store.write() as unit:
            await unit.documents.save("agent", "desk", b"1", author="x", now_wall_ms=1, expected_latest=0)
        results = await asyncio.gather(save(store, b"2"), save(store, b"3"), return_exceptions=True)
        assert sorted(type(result).__name__ for result in results) == ["Conflict", "NoneType"]

    run(config, body)


def test_users_are_changed_only_at_the_version_that_was_read(config: StoreConfig) -> None:
    async def body(store: Store) -> None:
        async with store.write() as unit:
            await unit.users.add(ANN)
            changed = await unit.users.put(replace(ANN, email="ann@example.org"))
            assert (changed.version, changed.email) == (2, "ann@example.org")
            with pytest.raises(Conflict):
                await unit.users.put(ANN)
            assert await unit.users.by_name("ann") == changed
            assert await unit.users.count() == 1
            with pytest.raises(NotFound):
                await unit.users.get("nobody")
        with pytest.raises(Conflict):
            async with store.write() as unit:
                await unit.users.add(replace(ANN, id="u2"))
        async with store.read() as unit:
            assert [user.id for user in await unit.users.page()] == ["u1"]
            assert await unit.users.page(after=("ann", "u1")) == []

    run(config, body)


def test_logins_count_failures_and_take_each_totp_step_once(config: StoreConfig) -> None:
    async def body(store: Store) -> None:
        async with store.write() as unit:
            await unit.users.add(ANN)
            assert [await unit.users.note_failure("u1", 50) for _ in range(2)] == [1, 2]
            assert await unit.users.note_login("u1", 60, totp_step=7)
            assert not await unit.users.note_login("u1", 61, totp_step=7)
            assert await unit.users.note_login("u1", 62)
            ann = await unit.users.get("u1")
            assert (ann.failed_logins, ann.locked_until_wall_ms, ann.totp_last_step) == (0, 0, 7)

    run(config, body)


def test_keys_sessions_and_links(config: StoreConfig) -> None:
    async def body(store: Store) -> None:
        async with store.write() as unit:
            await unit.users.add(ANN)
            await unit.api_keys.add(ApiKey("k1", "ci", b"hash", ("calls:read",), "ann", 1, user_id="u1"))
            await unit.sessions.add(Session(b"t", "u1", True, 1, 1, 100))
            await unit.sessions.issue(OneTimeToken(b"o", "invite", "{}", 100))
            await unit.api_keys.touch("k1", 5)
            key = await unit.api_keys.by_secret_hash(b"hash")
            assert key is not None and (key.scopes, key.last_used_wall_ms) == (("calls:read",), 5)
            assert await unit.sessions.find(b"t", 99) is not None
            assert await unit.sessions.find(b"t", 100) is None
            assert await unit.sessions.redeem(b"o", "login", 50) is None
            assert await unit.sessions.redeem(b"o", "invite", 50) is not None
            assert await unit.sessions.redeem(b"o", "invite", 50) is None
            await unit.users.delete("u1")
            assert await unit.api_keys.of_user("u1") == []
            assert await unit.sessions.of_user("u1", 1) == []

    run(config, body)


def test_trunks_and_secrets(config: StoreConfig) -> None:
    async def body(store: Store) -> None:
        async with store.write() as unit:
            trunk = await unit.trunks.add(Trunk("t1", "carrier", "{}", 1, 1, secret_sealed=b"\x00x"))
            assert await unit.trunks.get("t1") == trunk
            for sealed in (b"1", b"2"):
                await unit.secrets.put(Secret("smtp", sealed, 1, "ann"))
            found = await unit.secrets.find("smtp")
            assert found is not None and found.sealed == b"2"
            assert await unit.secrets.names() == ["smtp"]
            assert await unit.secrets.delete("smtp")

    run(config, body)


def test_of_two_nodes_that_store_the_same_phones_at_once_neither_is_refused(config: StoreConfig) -> None:
    phones = ("anna", "bert", "carl")

    async def node(store: Store, order: Sequence[str]) -> None:
        for number in range(30):
            async with store.write() as unit:
                await unit.bindings.put({**dict.fromkeys(order, f"[{number}]"), "dora": None}, number)

    async def body(store: Store) -> None:
        await asyncio.gather(node(store, phones), node(store, phones[::-1]))
        async with store.write() as unit:
            assert await unit.bindings.all() == dict.fromkeys(phones, "[29]")
            await unit.bindings.put({"bert": None}, 30)
            assert sorted(await unit.bindings.all()) == ["anna", "carl"]

    run(config, body)


def test_the_audit_is_one_chain_however_many_write_at_once(config: StoreConfig) -> None:
    async def note(store: Store, number: int) -> None:
        async with store.write() as unit:
            await unit.audit.append(AuditNote(number, "ann", "call.listen", "call", f"c{number}", after_json="{}"))

    async def body(store: Store) -> None:
        await asyncio.gather(*(note(store, number) for number in range(12)))
        async with store.write() as unit:
            assert await unit.audit.verify() == []
            assert [entry.seq for entry in await unit.audit.page(limit=3)] == [11, 10, 9]
            mine = await unit.audit.page(AuditFilter(object_kind="call", object_id="c4"))
            assert [entry.note.at_wall_ms for entry in mine] == [4]
            await unit.connection.execute(update(audit).where(audit.c.seq == 3).values(actor="bob"))
            assert await unit.audit.verify() == ["#3: its hash does not fit"]

    run(config, body)


def test_deliveries_are_leased_retried_and_buried(config: StoreConfig) -> None:
    async def body(store: Store) -> None:
        async with store.write() as unit:
            await unit.subscriptions.add(Subscription("s1", "crm", "http://crm", b"", 1, 1, kinds=("call.ended",)))
            await unit.subscriptions.add(Subscription("s2", "off", "http://off", b"", 1, 1, enabled=False))
            wanting = [one.id for one in await unit.subscriptions.wanting("call.ended")]
            assert wanting == ["s1"] and await unit.subscriptions.wanting("call.started") == []
            await unit.deliveries.enqueue(wanting, "e1", "call.ended", "{}", now_wall_ms=10)
        results = await asyncio.gather(claim(store), claim(store))
        (one,) = [delivery for found in results for delivery in found]
        async with store.write() as unit:
            await unit.deliveries.failed(Attempt(one.id, 1, 20, 5, 503, ""), next_attempt_wall_ms=30)
            assert await unit.deliveries.claim_due(now_wall_ms=29, lease_ms=5) == []
            (again,) = await unit.deliveries.claim_due(now_wall_ms=30, lease_ms=5)
            await unit.deliveries.failed(Attempt(one.id, again.attempts, 31, 5, 0, "refused"), None)
            (dead,) = await unit.deliveries.page(state=DeliveryState.DEAD)
            assert [attempt.status for attempt in await unit.deliveries.attempts(dead.id)] == [503, 0]
            await unit.deliveries.send_again(dead.id, now_wall_ms=40)
            (again,) = await unit.deliveries.claim_due(now_wall_ms=40, lease_ms=5)
            await unit.deliveries.delivered(Attempt(again.id, again.attempts, 41, 5, 200, ""))
            assert (await unit.deliveries.get(again.id)).state is DeliveryState.DELIVERED
            assert await unit.deliveries.forget_delivered(100) == 1

    run(config, body)


async def claim(store: Store) -> list[object]:
    async with store.write() as unit:
        return list(await unit.deliveries.claim_due(now_wall_ms=10, lease_ms=10))


def test_an_error_undoes_the_whole_block(config: StoreConfig) -> None:
    async def body(store: Store) -> None:
        with pytest.raises(NotFound):
            async with store.write() as unit:
                await unit.users.add(ANN)
                await unit.users.get("nobody")
        async with store.read() as unit:
            assert await unit.users.find("u1") is None

    run(config, body)


def test_what_a_block_raises_itself_comes_out_of_it(config: StoreConfig) -> None:
    async def body(store: Store) -> None:
        with pytest.raises(BrokenPipeError):
            async with store.read():
                raise BrokenPipeError

    run(config, body)


def test_a_database_that_is_not_there_is_unavailable() -> None:
    async def body() -> None:
        store = Store(StoreConfig(url="postgresql://postgres@127.0.0.1:1/nowhere"))
        with pytest.raises(StoreUnavailable):
            await store.start()
        await store.close()

    asyncio.run(body())
