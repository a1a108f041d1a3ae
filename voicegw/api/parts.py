"""Everything the routes work with; made once, when the API starts, in the API's own loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from voicegw.api.announcer import Announcer
from voicegw.api.browser_audio import BrowserAudio
from voicegw.api.captures import CallCaptures
from voicegw.api.config import ApiConfig
from voicegw.api.control import CallControl, Originator
from voicegw.api.events_stream import EventHub
from voicegw.api.installation import Installer, NoTrunks, TrunkSwitch
from voicegw.api.line_board import LineBoard
from voicegw.api.node_board import NodeBoard
from voicegw.api.oidc import OidcClient
from voicegw.api.passwords import Passwords
from voicegw.api.phone_board import PhoneBoard
from voicegw.api.recordings import Recordings
from voicegw.api.throttle import LockOut, OnceAMinute, RateLimit
from voicegw.api.vault import Vault
from voicegw.base.clock import Clock
from voicegw.base.ids import RandomBytes
from voicegw.base.metrics import Counters, HistogramState
from voicegw.ports.cluster import NodeInfo
from voicegw.storage.maintenance import Maintenance
from voicegw.storage.node_files import NodeFiles
from voicegw.storage.store import Store

Readiness = Callable[[], Mapping[str, bool]]
"""Which parts of the node work, by name."""
Gauges = Callable[[], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Node:
    """What the API is told about the node it stands in. Called in the API's thread: they must only look."""

    counters: Callable[[], Mapping[str, int]] = dict
    gauges: Gauges = dict
    ready: Readiness = dict
    histograms: Callable[[], Mapping[str, HistogramState]] = dict
    nodes: Callable[[], Sequence[NodeInfo]] = tuple
    """All nodes of the cluster; none where this one is alone."""
    degraded: Callable[[], Mapping[str, str]] = dict
    """What does not work for now although calls do, and what that means."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a route can reach."""

    config: ApiConfig
    store: Store
    vault: Vault
    passwords: Passwords
    clock: Clock
    random: RandomBytes
    counters: Counters
    """Of the API itself."""
    hub: EventHub
    installer: Installer
    trunks: TrunkSwitch = field(default_factory=NoTrunks)
    node: Node = field(default_factory=Node)
    control: CallControl | None = None
    originator: Originator | None = None
    captures: CallCaptures | None = None
    """None: no packets are captured here."""
    oidc: OidcClient | None = None
    recordings: Recordings | None = None
    """None: there are none to be heard."""
    keeper: Maintenance | None = None
    """Erases; None: not here."""
    files: NodeFiles | None = None
    """What the node keeps beside the store."""
    browsers: BrowserAudio | None = None
    """None: supervisors take part by telephone only."""
    phones: PhoneBoard | None = None
    """None: no phone registers here."""
    line: LineBoard | None = None
    """Trunks and guard; None: there is no line."""
    board: NodeBoard | None = None
    """The node as a whole; None: there is none."""
    announcer: Announcer | None = None
    """Takes word of calls to come by AudioSocket; None: nobody listens for such."""
    hearings: OnceAMinute = field(default_factory=OnceAMinute)
    logins: RateLimit = field(default_factory=lambda: RateLimit(burst=10, per_minute=20))
    """Guesses for each address."""
    lock_out: LockOut = field(default_factory=LockOut)
    requests: RateLimit = field(default_factory=lambda: RateLimit(burst=300, per_minute=1200))
    """Requests of each user or key."""

    def wall_ms(self) -> int:
        """Now, as the store counts."""
        return int(self.clock.wall() * 1000)


async def parts_of(connection: HTTPConnection) -> Parts:
    """The parts of the app that a request came to. A coroutine, because FastAPI runs anything else in a thread."""
    return cast(Parts, connection.app.state.parts)


PartsDep = Annotated[Parts, Depends(parts_of)]
