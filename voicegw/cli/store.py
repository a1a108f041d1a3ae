"""``voicegw store ACTION``: what is kept, looked after by hand: verified, exported, erased, brought up to date."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from voicegw.api.installation import AGENT, DIALPLAN, Documents, check_all
from voicegw.api.ladder import ladder
from voicegw.api.ladder_pcap import began_at, ladder_pcap
from voicegw.api.ladder_text import ladder_text
from voicegw.base.clock import SystemClock
from voicegw.base.errors import LocalError
from voicegw.base.metrics import Counters
from voicegw.cli.store_key import store_key
from voicegw.config import Config, load_config
from voicegw.server import node_files
from voicegw.storage.anchors import verify_anchors
from voicegw.storage.document_files import DocumentKey
from voicegw.storage.document_sync import export_directory, import_directory, read_directory
from voicegw.storage.erasure import calls_of_number, open_calls_of_number
from voicegw.storage.export import calls_to_export, export_zip
from voicegw.storage.maintenance import Maintenance
from voicegw.storage.rejected import RejectedFacts
from voicegw.storage.retry import retry_rejected
from voicegw.storage.spool import SEGMENT_S, SpoolDirectory, unpack
from voicegw.storage.store import Store
from voicegw.storage.writer import StoreWriter

ACTOR = "cli"
ORIGIN = "import"
"""Not ``file``: those go when the node's own file goes."""
_SETTLE_S = 60.0
_LOOK_S = 0.5


def run(arguments: argparse.Namespace) -> int:
    """Do what ``action`` says; 1 where something is wrong or could not be done."""
    config = load_config(arguments.config)
    actions: Mapping[str, Callable[[Config, argparse.Namespace], Awaitable[int]]] = {
        "verify": _verify,
        "export": _export,
        "erase": _erase,
        "import": _import,
        "dump": _dump,
        "rejected": _rejected,
        "ladder": _ladder,
        "migrate": _migrate,
        "key": _key,
    }
    try:
        return asyncio.run(_to_int(actions[arguments.action](config, arguments)))
    except OSError as error:
        raise LocalError(f"{error.filename or config.store.spool}: {error.strerror}") from None


async def _to_int(work: Awaitable[int]) -> int:
    return await work


@asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[Store]:
    """The store as it is; raises LocalError where there is none, rather than make an empty one."""
    store = Store(config.store)
    file = store.database.url.database
    if store.database.is_sqlite and not await asyncio.to_thread(Path(file or "").is_file):
        raise LocalError(f"there is no store at {file}; set store.url, or make one: voicegw store migrate")
    try:
        yield store
    finally:
        await store.close()


async def _verify(config: Config, arguments: argparse.Namespace) -> int:
    flaws = 0
    async with _opened(config) as store:
        ids = (arguments.call,) if arguments.call else await calls_to_export(store, None)
        missing = unsealed = 0
        for call_id in ids:
            async with store.read() as unit:
                verdict = await unit.calls.verify(call_id)
            flaws += _tell(f"call {call_id}", verdict.flaws)
            missing += verdict.missing
            unsealed += not verdict.sealed
        print(f"{len(ids)} calls, {unsealed} of them open, {missing} facts lost before they were stored")
        if not arguments.call:
            async with store.read() as unit:
                flaws += _tell("anchors", await verify_anchors(unit.connection))
                flaws += _tell("audit", await unit.audit.verify())
    print("whole" if not flaws else f"{flaws} flaws")
    return int(flaws > 0)


def _tell(place: str, flaws: tuple[str, ...] | list[str]) -> int:
    for flaw in flaws:
        print(f"{place}: {flaw}", file=sys.stderr)
    return len(flaws)


async def _export(config: Config, arguments: argparse.Namespace) -> int:
    if arguments.all == bool(arguments.number):
        raise LocalError("what is to be exported? Give either a NUMBER or --all")
    if arguments.file.exists():
        raise LocalError(f"{arguments.file} is there already; choose another name")
    async with _opened(config) as store:
        ids = await calls_to_export(store, arguments.number or None)
        if not ids:
            raise LocalError(
                "no call of that number; numbers are compared as they were signalled, such as +49301234"
            )
        files = node_files(config)
        tools = await files.tool_entries(ids, arguments.number or "")
        await export_zip(store, ids, arguments.file, tools, files)
    print(f"{arguments.file}: {len(ids)} calls")
    return 0


async def _erase(config: Config, arguments: argparse.Namespace) -> int:
    number: str = arguments.number
    await asyncio.to_thread(_take_in_leftovers, config)
    async with _opened(config) as store:
        async with store.read() as unit:
            ids = await calls_of_number(unit.connection, number)
            still_open = await open_calls_of_number(unit.connection, number)
        print(f"{len(ids)} ended calls of {number}, and {len(still_open)} that go on", file=sys.stderr)
        if not arguments.yes and await asyncio.to_thread(input, "erase them for good? Type yes: ") != "yes":
            print("nothing was erased", file=sys.stderr)
            return 1
        keeper = Maintenance(store, config.store.retention, SystemClock(), node_files(config))
        certificate = await keeper.erase_number(number, actor=ACTOR, reason=arguments.reason)
    print(msgspec.json.format(msgspec.json.encode(certificate), indent=2).decode())
    clean = await _left_the_spool(Path(config.store.spool), number, frozenset(ids))
    if not clean:
        print("facts of these calls are still in the spool; look again in a minute", file=sys.stderr)
    if still_open:
        print("erase again when the calls that go on have ended", file=sys.stderr)
    return int(bool(still_open) or not clean)


def _take_in_leftovers(config: Config) -> None:
    """What a stopped server left in its spool goes into the database first: there it can be erased."""
    if not Path(config.store.spool).is_dir():
        return
    try:
        writer = StoreWriter(config.store, Counters(), files=node_files(config))
    except LocalError:  # a running server has the spool, and empties it by itself
        return
    try:
        if not writer.settle(_SETTLE_S):
            raise LocalError("the database does not take what is in the spool; look at store.url")
    finally:
        writer.close()


async def _left_the_spool(spool: Path, number: str, call_ids: frozenset[str]) -> bool:
    """Wait until a running server has deleted the segments that still have something of these calls."""
    until = time.monotonic() + 3 * SEGMENT_S
    while await asyncio.to_thread(_is_in_spool, spool, number.encode(), call_ids):
        if time.monotonic() > until:
            return False
        await asyncio.sleep(_LOOK_S)
    return True


def _is_in_spool(spool: Path, number: bytes, call_ids: frozenset[str]) -> bool:
    for path in spool.glob("*.spool"):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue
        if any(fact.call_id in call_ids or number in fact.content for fact, _behind in unpack(data)):
            return True
    return False


async def _import(config: Config, arguments: argparse.Namespace) -> int:
    check_all(_documents(read_directory(arguments.directory)))
    now_wall_ms = round(SystemClock().wall() * 1000)
    async with _opened(config) as store:
        found = await import_directory(
            store,
            arguments.directory,
            author=ACTOR,
            now_wall_ms=now_wall_ms,
            publish=not arguments.draft,
            origin=ORIGIN,
        )
    word = "draft" if arguments.draft else "published"
    for key in found.changed:
        print(f"{word}: {key.kind} {key.name}")
    for key in () if arguments.draft else found.gone:
        print(f"withdrawn: {key.kind} {key.name}")
    print(f"{len(found.changed)} changed; a running server takes them at its next SIGHUP")
    return 0


def _documents(files: Mapping[DocumentKey, bytes]) -> Documents:
    texts = {key: content.decode("utf-8", "replace") for key, content in files.items()}
    agents, dialplans = (
        {key.name: text for key, text in texts.items() if key.kind == kind} for kind in (AGENT, DIALPLAN)
    )
    return Documents(agents, dialplans)


async def _dump(config: Config, arguments: argparse.Namespace) -> int:
    async with _opened(config) as store:
        written = await export_directory(store, arguments.directory)
    for path in written:
        print(path)
    print(f"{len(written)} files written; what was the same already was left as it is")
    return 0


async def _ladder(config: Config, arguments: argparse.Namespace) -> int:
    async with _opened(config) as store, store.read() as unit:
        await unit.calls.get(arguments.call)
        events = await unit.calls.events(arguments.call, limit=100_000)
    entries = [one.entry for one in events if one.entry is not None]
    found = ladder(entries)
    if arguments.pcap is not None:
        kept = sum(bool(step.text) for step in found.steps)
        await asyncio.to_thread(arguments.pcap.write_bytes, ladder_pcap(found, began_at(entries)))
        print(f"{kept} of {len(found.steps)} messages: of the others no text was kept (sip.ladder.full_text)")
    elif arguments.json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        print(ladder_text(found), end="")
    return 0


async def _rejected(config: Config, arguments: argparse.Namespace) -> int:
    spool = Path(config.store.spool)
    if arguments.what == "list":
        found = RejectedFacts(spool).read()
        for call_id, count in Counter(fact.call_id for fact in found).items():
            kinds = ", ".join(sorted({fact.kind for fact in found if fact.call_id == call_id}))
            print(f"{call_id}: {count} facts ({kinds})")
        print(f"{len(found)} facts")
        return 0
    directory = SpoolDirectory(spool)  # the server must not run: it writes the same calls
    try:
        async with _opened(config) as store:
            done = await retry_rejected(store, directory)
    finally:
        directory.close()
    for call_id, reason in done.kept.items():
        print(f"{call_id}: {reason}", file=sys.stderr)
    print(f"{done.stored} facts stored, {len(done.kept)} calls stay aside")
    return int(bool(done.kept))


async def _key(config: Config, arguments: argparse.Namespace) -> int:
    async with _opened(config) as store:
        return await store_key(store, config, arguments)


async def _migrate(config: Config, _arguments: argparse.Namespace) -> int:
    store = Store(config.store)
    try:
        await store.start()
    finally:
        await store.close()
    print(f"{store.database.url.render_as_string()} is up to date")
    return 0
