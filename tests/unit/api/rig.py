"""The whole API over a real store in a temporary directory, without a socket; the clock is the test's."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
from argon2 import PasswordHasher
from fastapi import FastAPI

from tests.unit.api.fake_peer import Fakes
from tests.unit.storage.sample_call import sample_call
from voicegw.api import tokens
from voicegw.api.app import create_app
from voicegw.api.bridge import Bridge
from voicegw.api.browser_audio import BrowserAudio
from voicegw.api.browser_config import BrowserAudioConfig
from voicegw.api.captures import Keeper, StartCapture, Waited
from voicegw.api.config import ApiConfig
from voicegw.api.control import Mode, NoSuchCall, OutgoingCall, Refused, Supervisor, TransferKind
from voicegw.api.events_stream import EventHub
from voicegw.api.installation import Documents
from voicegw.api.live_calls import LiveCalls
from voicegw.api.node_board import DrainWish, ReloadReport
from voicegw.api.parts import Node, Parts
from voicegw.api.passwords import Passwords
from voicegw.api.permissions import Permission, Team
from voicegw.api.sealed_recordings import SealedRecordings
from voicegw.api.teams import TEAM, encode_team
from voicegw.api.throttle import RateLimit
from voicegw.api.vault import Vault
from voicegw.base.errors import ConfigError
from voicegw.base.ids import CallId
from voicegw.base.metrics import Counters
from voicegw.call.facts import Entry, RecordingHasEnded, encode_entry
from voicegw.gateway.audiosocket.announcements import Announcement
from voicegw.gateway.guard import Ban, BanReason
from voicegw.gateway.phone_book import PhoneState
from voicegw.gateway.trunk_desk import TrunkState
from voicegw.gateway.trunk_status import TrunkStatus
from voicegw.recording.seal_keys import KeyRing
from voicegw.runtime.browser_legs import BrowserLegs
from voicegw.runtime.drain import DrainStatus, Farewell, NodeState, NotDrainable
from voicegw.storage.config import RetentionConfig, StoreConfig
from voicegw.storage.intake import Intake
from voicegw.storage.maintenance import Maintenance
from voicegw.storage.node_files import NodeFiles
from voicegw.storage.spool import SpooledFact
from voicegw.storage.store import Store
from voicegw.storage.users import ApiKey, User
from voicegw.testing.manual_clock import ManualClock

PASSWORD = "correct horse battery staple"
HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
START_WALL = 1_767_261_600.0


@dataclass
class FakeInstaller:
    """Remembers what was put in force; refuses what it is told to refuse."""

    installed: list[Documents] = field(default_factory=list)
    refuses: str = ""

    async def rehearse(self, documents: Documents) -> None:
        if self.refuses:
            raise ConfigError(self.refuses, file="main.yaml", line=3, fix="do it better")

    async def install(self, documents: Documents) -> None:
        self.installed.append(documents)


@dataclass
class FakeControl:
    """Remembers what was done to calls; refuses, or knows no call, when told so."""

    done: list[tuple[str, ...]] = field(default_factory=list)
    refuses: str = ""
    gone: bool = False

    async def supervise(self, call_id: CallId, supervisor: Supervisor, mode: Mode) -> None:
        self._note("supervise", call_id, supervisor.user_name, supervisor.address, mode)

    async def whisper_text(self, call_id: CallId, supervisor: Supervisor, text: str) -> None:
        self._note("whisper_text", call_id, supervisor.user_name, text)

    async def hand_back(self, call_id: CallId, supervisor: Supervisor) -> None:
        self._note("hand_back", call_id, supervisor.user_name)

    async def end(self, call_id: CallId, supervisor: Supervisor) -> None:
        self._note("end", call_id, supervisor.user_name)

    async def pause_recording(self, call_id: CallId, supervisor: Supervisor, paused: bool) -> None:
        self._note("pause_recording", call_id, supervisor.user_name, str(paused))

    async def transfer(self, call_id: CallId, supervisor: Supervisor, target: str, kind: TransferKind) -> None:
        self._note("transfer", call_id, supervisor.user_name, target, kind)

    async def approve_tool(self, call_id: CallId, supervisor: Supervisor, tool_call: str, approved: bool) -> None:
        self._note("approve_tool", call_id, supervisor.user_name, tool_call, str(approved))

    def _note(self, *what: str) -> None:
        if self.gone:
            raise NoSuchCall("it is over")
        if self.refuses:
            raise Refused(self.refuses)
        self.done.append(what)


@dataclass
class FakeOriginator:
    """Makes calls that nobody hears."""

    made: list[OutgoingCall] = field(default_factory=list)
    refuses: str = ""

    async def originate(self, call: OutgoingCall) -> CallId:
        if self.refuses:
            raise Refused(self.refuses)
        self.made.append(call)
        return CallId(f"out{len(self.made)}")


@dataclass
class FakeCaptures:
    """Remembers what was ordered; one number is waited for always."""

    done: list[tuple[str, ...]] = field(default_factory=list)
    refuses: str = ""
    keepers: dict[str, Keeper] = field(default_factory=dict)

    async def start(self, call_id: CallId, order: StartCapture) -> None:
        self._note("start", call_id, order.name, str(order.audio))

    async def stop(self, call_id: CallId, name: str) -> None:
        self._note("stop", call_id, name)

    async def arm(self, number: str, count: int, seconds: float, order: StartCapture) -> Waited:
        self._note("arm", number, str(count), order.name)
        return Waited("k2", number, count, seconds, order.name, order.audio)

    async def waited(self) -> Sequence[Waited]:
        return [Waited("k1", "+499", 1, 60.0, "ada", False)]

    async def disarm(self, id: str) -> bool:
        self._note("disarm", id)
        return True

    async def keeper(self, call_id: CallId) -> Keeper | None:
        return self.keepers.get(call_id)

    def _note(self, *what: str) -> None:
        if self.refuses:
            raise Refused(self.refuses)
        self.done.append(what)


@dataclass
class FakeAnnouncer:
    """Keeps what is said about calls to come."""

    said: dict[UUID, Announcement] = field(default_factory=dict)
    refuses: str = ""

    async def announce(self, uuid: UUID, announcement: Announcement) -> None:
        if self.refuses:
            raise Refused(self.refuses)
        self.said[uuid] = announcement


@dataclass
class FakePhones:
    """A registrar with one phone of the configuration, where nobody is."""

    domain: str = "voice.test"
    realm: str = "voice.test"
    states: dict[str, PhoneState] = field(default_factory=dict)
    changes: int = 0
    on_change: Callable[[PhoneState], None] = lambda _state: None

    def __post_init__(self) -> None:
        self.states["anna"] = PhoneState("anna", "Anna", "ann", registered=False, calls=0)

    def snapshot(self) -> Mapping[str, PhoneState]:
        return self.states

    async def accounts_changed(self) -> None:
        self.changes += 1


@dataclass
class FakeLine:
    """Two trunks, and one address that gets no answer."""

    ignored: dict[str, float] = field(default_factory=lambda: {"203.0.113.9": 60.0})
    states: list[TrunkStatus] = field(default_factory=list)
    on_change: Callable[[TrunkState], None] = lambda _state: None

    def __post_init__(self) -> None:
        for name in ("mine", "theirs"):
            self.states.append(TrunkStatus(name, True, True, "", 2, 10, None, None, ""))

    def trunks(self) -> Sequence[TrunkStatus]:
        return self.states

    def bans(self) -> Sequence[tuple[Ban, float]]:
        return [(Ban(host, BanReason.FLOOD, left_s), left_s) for host, left_s in self.ignored.items()]

    async def ban(self, host: str, seconds: float) -> bool:
        if host == "127.0.0.1":
            return False
        self.ignored[host] = seconds
        return True

    async def pardon(self, host: str) -> bool:
        return self.ignored.pop(host, None) is not None


@dataclass
class FakeNode:
    """Serves or drains; a drain that has begun to hand calls over cannot be undone."""

    now: DrainStatus = field(default_factory=lambda: DrainStatus(NodeState.SERVING, 2))
    wishes: list[DrainWish] = field(default_factory=list)
    broken: str = ""

    def status(self) -> DrainStatus:
        return self.now

    async def drain(self, wish: DrainWish, by: str) -> DrainStatus:
        if wish.farewell is Farewell.TRANSFER and not wish.transfer_to:
            raise ConfigError("nobody can be sent to ''", fix="name a target")
        self.wishes.append(wish)
        deadline_s = 1800.0 if wish.deadline_s is None else wish.deadline_s
        self.now = DrainStatus(NodeState.DRAINING, 2, deadline_s, "goodbye", wish.stop, by)
        return self.now

    async def undrain(self, by: str) -> DrainStatus:
        if self.now.state is NodeState.HANDING_OVER:
            raise NotDrainable("calls are being handed over")
        self.now = DrainStatus(NodeState.SERVING, 2)
        return self.now

    async def reload(self, by: str) -> ReloadReport:
        if self.broken:
            raise ConfigError(self.broken, file="voicegw.yaml", line=7, fix="do it better")
        return ReloadReport(("limits.max_calls",), ("media.port_low",))


_template: dict[str, Path] = {}
_idle: dict[tuple[object, ...], list[FastAPI]] = {}
"""Applications of rigs that are closed: the first request to one takes a fifth of a second, to make its routes."""


def _kind(parts: Parts) -> tuple[object, ...]:
    """What an application is made of: which parts there are, not which ones."""
    there = (field.name for field in fields(parts) if getattr(parts, field.name) is not None)
    return tuple(there)


def _app_over(parts: Parts) -> FastAPI:
    """One that no rig has at present. What is in it of its parts is ``state.parts``, which every request reads."""
    idle = _idle.get(_kind(parts))
    if not idle:
        return create_app(parts)
    app = idle.pop()
    app.state.parts = parts
    return app


class Rig:
    """Synchronous for the tests: one request is one call. ``by`` names the user whose key is sent."""

    def __init__(self, directory: Path, **changes: Any) -> None:
        self.directory = directory
        self.runner = asyncio.Runner()
        self.clock = ManualClock(wall=START_WALL)
        self.installer, self.control, self.originator = FakeInstaller(), FakeControl(), FakeOriginator()
        self.announcer, self.captures = FakeAnnouncer(), FakeCaptures()
        self.phones, self.line, self.board = FakePhones(), FakeLine(), FakeNode()
        self.browser_legs, self.peers = BrowserLegs(), Fakes()
        self._random = random.Random(4711)
        self.keys: dict[str, str] = {}
        (directory / "recordings").mkdir()
        self.parts = replace(self._parts(), **changes)
        self.run(self._migrate())
        self.app = _app_over(self.parts)
        self.run(self._open())

    # ------------------------------------------------------------ requests

    def request(
        self, method: str, path: str, by: str = "", *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        sent = dict(headers or {})
        if by:
            sent["Authorization"] = f"Bearer {self.keys[by]}"
        return self.run(self.client.request(method, path, headers=sent, **options))

    def get(self, path: str, by: str = "", **options: Any) -> httpx.Response:
        return self.request("GET", path, by, **options)

    def post(self, path: str, by: str = "", **options: Any) -> httpx.Response:
        return self.request("POST", path, by, **options)

    def put(self, path: str, by: str = "", **options: Any) -> httpx.Response:
        return self.request("PUT", path, by, **options)

    def delete(self, path: str, by: str = "", **options: Any) -> httpx.Response:
        return self.request("DELETE", path, by, **options)

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    # ------------------------------------------------------------ what is there

    def user(
        self,
        name: str,
        *roles: str,
        teams: Sequence[str] = (),
        numbers: Sequence[str] = (),
        scopes: Sequence[str] = tuple(Permission),
    ) -> User:
        """A user with the password of all tests, and a key by which they ask."""
        issued = tokens.issue(tokens.KEY_PREFIX, self.random)
        now = self.parts.wall_ms()
        user = User(
            f"u_{name}",
            name,
            now,
            now,
            roles=roles,
            teams=tuple(teams),
            numbers=tuple(numbers),
            password_hash=HASHER.hash(PASSWORD),
        )
        key = ApiKey(f"k_{name}", f"{name}-key", issued.digest, tuple(scopes), "test", now, user_id=user.id)
        self.run(self._add(user, key))
        self.keys[name] = issued.secret
        return user

    def team(self, name: str, **has: tuple[str, ...]) -> None:
        """A team with these numbers, agents, dialplans and trunks."""
        self.run(self._publish(TEAM, name, encode_team(Team(name, **has))))

    def document(self, kind: str, name: str, text: str) -> None:
        """A document in force."""
        self.run(self._publish(kind, name, text.encode()))

    def call(self, number: int = 0, **options: Any) -> None:
        """A call that is over, in the store; see ``sample_call``."""
        self.run(self._store_call(number, sample_call(number, **options)))

    def live(self, number: int = 0, *, facts: int = 3, **options: Any) -> None:
        """The first facts of a call as they happen."""
        for entry in sample_call(number, **options)[:facts]:
            self.parts.hub.publish(CallId(f"c{number}"), entry)
        self.run(asyncio.sleep(0))

    def recording(self, number: int, content: bytes) -> None:
        """The audio of a call."""
        (self.directory / "recordings" / f"c{number}.wav").write_bytes(content)

    def captured(self, number: int, content: bytes, name: str = "1") -> None:
        """A packet capture of a call."""
        (self.directory / "recordings" / f"c{number}-{name}.pcap").write_bytes(content)

    def audit(self) -> list[dict[str, Any]]:
        """All that was noted, the oldest first."""

        async def read() -> list[dict[str, Any]]:
            async with self.parts.store.read() as unit:
                found = await unit.audit.page(limit=1000)
            return [
                {
                    "actor": e.note.actor,
                    "action": e.note.action,
                    "id": e.note.object_id,
                    "peer": e.note.peer,
                    "before": e.note.before_json,
                    "after": e.note.after_json,
                }
                for e in reversed(found)
            ]

        result: list[dict[str, Any]] = self.run(read())
        return result

    def random(self, size: int) -> bytes:
        return self._random.randbytes(size)

    def close(self) -> None:
        async def close() -> None:
            await self.client.aclose()
            if self.parts.browsers is not None:
                await self.parts.browsers.close()
            self.parts.passwords.close()
            await self.parts.store.close()

        self.run(close())
        self.runner.close()
        _idle.setdefault(_kind(self.parts), []).append(self.app)

    # ------------------------------------------------------------ inside

    def _parts(self) -> Parts:
        counters = Counters()
        store = Store(StoreConfig(url=f"sqlite:///{self.directory / 'api.sqlite'}"))
        home = self.directory
        files = NodeFiles(home / "spool", home / "recordings", home / "logs", home / "tools.sqlite")
        hub = EventHub(LiveCalls(), counters, ring=100, backlog=20, boot="boot", wall=self.clock.wall)
        return Parts(
            config=ApiConfig(),
            store=store,
            vault=Vault(bytes(32), self.random),
            passwords=Passwords(HASHER),
            clock=self.clock,
            random=self.random,
            counters=counters,
            hub=hub,
            installer=self.installer,
            node=Node(counters=lambda: {"calls_offered": 3}, gauges=lambda: {"calls_active": 1.0}),
            control=self.control,
            originator=self.originator,
            captures=self.captures,
            announcer=self.announcer,
            phones=self.phones,
            line=self.line,
            board=self.board,
            recordings=SealedRecordings(self.directory / "recordings", KeyRing()),
            keeper=Maintenance(store, RetentionConfig(), self.clock, files),
            files=files,
            browsers=BrowserAudio(
                BrowserAudioConfig(),
                self.browser_legs,
                Bridge(self.runner.get_loop()),
                self.clock,
                self.random,
                counters,
                make_peer=self.peers,
            ),
            logins=RateLimit(burst=1000, per_minute=1000),
            requests=RateLimit(burst=100_000, per_minute=100_000),
        )

    async def _migrate(self) -> None:
        """Migrating costs a moment: once for all tests of a process."""
        path = self.directory / "api.sqlite"
        if "file" in _template and _template["file"].exists():
            shutil.copy(_template["file"], path)
            return
        await self.parts.store.start()
        await self.parts.store.close()
        _template["file"] = self.directory.parent / f"{self.directory.name}-template.sqlite"
        shutil.copy(path, _template["file"])

    async def _open(self) -> None:
        self.parts.hub.attach(asyncio.get_running_loop())
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=True, client=("192.0.2.7", 4000))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://api.test")

    async def _add(self, user: User, key: ApiKey) -> None:
        async with self.parts.store.write() as unit:
            await unit.users.add(user)
            await unit.api_keys.add(key)

    async def _publish(self, kind: str, name: str, content: bytes) -> None:
        async with self.parts.store.write() as unit:
            now = self.parts.wall_ms()
            saved = await unit.documents.save(kind, name, content, author="test", now_wall_ms=now)
            await unit.documents.publish(kind, name, saved.version, author="test", now_wall_ms=now)

    async def _store_call(self, number: int, entries: Sequence[Entry]) -> None:
        facts = [
            SpooledFact(
                CallId(f"c{number}"),
                entry.seq,
                type(entry.data).__name__,
                1_767_261_600_000 + number * 1000,
                bytes(16),
                encode_entry(entry)[:-1],
            )
            for entry in map(_recorded_here, entries)
        ]
        async with self.parts.store.write() as unit:
            await Intake("here").take(unit.connection, facts)


def _recorded_here(entry: Entry) -> Entry:
    """The recording of a sample call lies in the rig's directory."""
    if isinstance(entry.data, RecordingHasEnded):
        here = msgspec.structs.replace(entry.data, path=Path(entry.data.path).name)
        return msgspec.structs.replace(entry, data=here)
    return entry
