"""The API in a thread of its own, with an event loop, connections and an outbox of its own.

The runtime's loop decides when a caller is answered; a page of calls, a password hash or a slow watcher must not
stand in its way. What both share is :class:`~voicegw.api.bridge.Bridge` in one direction and
:meth:`~voicegw.api.events_stream.EventHub.publish` in the other. ``docs/decisions`` has the measurement.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI

from voicegw.api import accounts, publishing
from voicegw.api.announcer import BridgedAnnouncer
from voicegw.api.announcer import Door as AudioSocketDoor
from voicegw.api.app import create_app
from voicegw.api.bridge import Bridge, BridgedControl, BridgedInstaller, BridgedOriginator, BridgedTrunks
from voicegw.api.browser_audio import BrowserAudio, ice_accounts
from voicegw.api.browser_ports import IceAccount
from voicegw.api.captures import BridgedCaptures, CallCaptures
from voicegw.api.config import ApiConfig
from voicegw.api.control import CallControl, Originator
from voicegw.api.events_stream import EventHub, PhoneChanged, TrunkChanged
from voicegw.api.installation import Documents, Installer, NoTrunks, TrunkSwitch
from voicegw.api.key_file import load_key
from voicegw.api.line_board import BridgedLine, LineBoard
from voicegw.api.live_calls import LiveCalls
from voicegw.api.node_board import BridgedNode, NodeBoard
from voicegw.api.oidc import OidcClient
from voicegw.api.outbox import Outbox
from voicegw.api.parts import Node, Parts
from voicegw.api.passwords import Passwords
from voicegw.api.phone_board import BridgedPhones, PhoneBoard
from voicegw.api.recordings import Recordings
from voicegw.api.store_key import OtherKey, StoreKey
from voicegw.api.throttle import RateLimit
from voicegw.api.vault import Vault
from voicegw.base.clock import Clock
from voicegw.base.errors import ConfigError, LocalError
from voicegw.base.ids import CallId, RandomBytes, token
from voicegw.base.metrics import Counters
from voicegw.base.tasks import kept_task
from voicegw.call.facts import Entry
from voicegw.gateway.phone_book import PhoneState
from voicegw.gateway.trunk_desk import TrunkState
from voicegw.runtime.browser_legs import BrowserLegs
from voicegw.storage.config import StoreConfig
from voicegw.storage.errors import StoreUnavailable
from voicegw.storage.maintenance import Maintenance
from voicegw.storage.node_files import NodeFiles
from voicegw.storage.store import Store

log = logging.getLogger(__name__)

STOP_S = 5.0
"""Requests under way may finish for this long."""
GATHER_S = 0.05
"""Live events wait so long for one another."""
_STORE_AGAIN_S = 2.0
_KEY_PATIENCE_S = 10.0
"""A start waits no longer for a store that is slow or away: calls can be taken without it."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the node hands to its API. ``control`` and ``originator`` live in the runtime's loop."""

    installer: Installer
    trunks: TrunkSwitch = field(default_factory=NoTrunks)
    node: Node = field(default_factory=Node)
    control: CallControl | None = None
    originator: Originator | None = None
    captures: CallCaptures | None = None
    recordings: Recordings | None = None
    files: Documents | None = field(default_factory=Documents)
    """What the node has loaded from its files; a store without documents begins with them. None: the node itself
    brings files and store together."""
    node_files: NodeFiles | None = None
    """What the node keeps of calls beside the store; None: callers' data cannot be erased by the API."""
    browsers: BrowserLegs | None = None
    """Where calls look for supervisors who have no telephone; lives in the runtime's loop."""
    phones: PhoneBoard | None = None
    """The registrar; lives in the runtime's loop. None: no phone registers here."""
    line: LineBoard | None = None
    """Trunks and guard; lives in the runtime's loop."""
    board: NodeBoard | None = None
    """The node as a whole; lives in the runtime's loop."""
    audiosocket: AudioSocketDoor | None = None
    """Listeners for calls by AudioSocket; live in the runtime's loop."""
    node_name: str = ""
    """Of this node, for people."""


class ApiService:
    """Starts and stops the API. :meth:`publish` may be called from any thread, at any time."""

    def __init__(
        self,
        config: ApiConfig,
        store: StoreConfig,
        wiring: Wiring,
        clock: Clock,
        random: RandomBytes = os.urandom,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Opens nothing yet, but reads or makes the key of secrets; raises ConfigError."""
        self._config = config
        self._store_config = store
        self._wiring = wiring
        self._clock = clock
        self._random = random
        self._vault = Vault(load_key(Path(config.key_file), random), random)
        self._key = StoreKey(self._vault, config.key_file, wiring.node_name)
        self._environment = environment
        self._secrets = _secrets(config, environment)
        self.counters = Counters()
        self.hub = EventHub(
            LiveCalls(),
            self.counters,
            ring=config.event_ring,
            backlog=config.watcher_backlog,
            boot=token(random, 6),
            wall=clock.wall,
            gather_s=GATHER_S,
        )
        if wiring.phones is not None:
            wiring.phones.on_change = self._publish_phone
        if wiring.line is not None:
            wiring.line.on_change = self._publish_trunk
        self._thread: threading.Thread | None = None
        self._server: uvicorn.Server | None = None
        self._app: FastAPI | None = None
        self._http: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.port = 0
        self.setup_link = ""

    def publish(self, call_id: CallId, entry: Entry) -> None:
        """A fact became known: tell whoever watches."""
        self.hub.publish(call_id, entry)

    def _publish_phone(self, state: PhoneState) -> None:
        self.hub.publish_news(PhoneChanged(state.name, state.registered, state.calls))

    def _publish_trunk(self, state: TrunkState) -> None:
        self.hub.publish_news(TrunkChanged(state.name, state.up, state.why))

    async def check_key(self) -> None:
        """Before anything starts: raises OtherKey where the store's secrets are sealed with another key, and
        ConfigError where its tables are those of a newer version.

        A store that is away now is asked when it is there; then nothing is sealed or opened with a wrong key.
        """
        store = Store(self._store_config)
        try:
            async with asyncio.timeout(_KEY_PATIENCE_S):
                if await store.database.is_new():
                    await store.start()
                await self._key.settle(store, self._now_ms())
        except (StoreUnavailable, TimeoutError) as error:
            log.info("the key of secrets is compared later: %s", error or "the store is slow")
        finally:
            await store.close()

    async def start(self) -> None:
        """Take the port and start the thread. The store need not be there yet.

        Raises LocalError where the port is taken, the certificate cannot be used, or the thread breaks.
        """
        _try_certificate(self._config)
        listener = _listen(self._config)
        self.port = listener.getsockname()[1]
        bridge = Bridge(asyncio.get_running_loop())
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._serve, args=(listener, bridge, started), name="api", daemon=True
        )
        self._thread.start()
        await asyncio.wrap_future(started)
        log.info("the console is at %s/console", self._url(), extra={"port": self.port})
        if self._config.exposed:
            log.warning("the API listens on %s without TLS of its own", self._config.listen_host)

    def reload_certificate(self) -> None:
        """Use the certificate's files as they are now, from the next handshake on; those that are wrong are not."""
        if self._server is None or not self._config.tls_cert or self._server.config.ssl is None:
            return
        try:
            _try_certificate(self._config)
            self._server.config.ssl.load_cert_chain(self._config.tls_cert, self._config.tls_key)
        except LocalError as error:
            log.error("the API keeps its certificate: %s", error)

    def check(self, config: ApiConfig) -> None:
        """Raises ConfigError where a secret or a certificate of such settings is not there."""
        _secrets(config, self._environment)
        try:
            _try_certificate(config)
        except LocalError as error:
            raise ConfigError(str(error), fix="see api.tls_cert and api.tls_key") from None

    def use(self, config: ApiConfig) -> None:
        """Other settings, which have been checked, for requests from now on; its socket is as before."""
        self._config, self._secrets = config, _secrets(config, self._environment)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._put_in_force)

    async def close(self) -> None:
        """End all streams, let requests finish for a moment, and stop the thread."""
        if self._thread is None or self._loop is None or self._server is None:
            return
        server = self._server
        with suppress(RuntimeError):  # the thread has broken, and its loop is closed
            self._loop.call_soon_threadsafe(lambda: _stop(server, self.hub))
        await asyncio.to_thread(self._thread.join)
        self._thread = None

    # ------------------------------------------------------------ in the API's thread

    def _serve(self, listener: socket.socket, bridge: Bridge, started: Future[None]) -> None:
        """The thread. What ends it is told to who waits for it to start, or else in the log: nobody else would."""
        try:
            with listener:
                asyncio.run(self._run(listener, bridge, started))
        except Exception as error:  # a thread of the node's (decision 0019)
            log.exception("the API has ended; calls go on without it until the node is started again")
            if started.done():
                self.counters.add("api_failed")
            else:
                started.set_exception(LocalError(f"the API cannot start: {type(error).__name__}: {error}"))

    async def _run(self, listener: socket.socket, bridge: Bridge, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        store, passwords = Store(self._store_config), Passwords()
        async with httpx.AsyncClient(follow_redirects=False) as http:
            self._http = http
            parts = self._parts(store, passwords, bridge)
            self._app = create_app(parts)
            self._server = uvicorn.Server(_uvicorn(self._config, self._app))
            self.hub.attach(self._loop)
            started.set_result(None)
            keep, broken = partial(self._keep_store, parts, http), partial(self.counters.add, "api_work_broken")
            aside = [kept_task(keep, "the API's work with the store", _STORE_AGAIN_S, broken)]
            try:
                await self._server.serve([listener])
            finally:
                self.hub.detach()
                if parts.browsers is not None:
                    await parts.browsers.close()
                for task in aside:
                    task.cancel()
                await asyncio.wait(aside)
                passwords.close()
                await store.close()

    def _put_in_force(self) -> None:
        if self._app is not None:
            put_in_force(self._app, self._config, self._provider(), self._secrets.ice)

    def _provider(self) -> OidcClient | None:
        config, back = self._config.oidc, f"{self._url()}/v1/oidc/callback"
        if not config.issuer or self._http is None:
            return None
        return OidcClient(config, self._secrets.provider, back, self._random, self._http, self._clock.wall)

    def _parts(self, store: Store, passwords: Passwords, bridge: Bridge) -> Parts:
        config, wiring = self._config, self._wiring
        return Parts(
            config=config,
            store=store,
            vault=self._vault,
            passwords=passwords,
            clock=self._clock,
            random=self._random,
            counters=self.counters,
            hub=self.hub,
            installer=BridgedInstaller(bridge, wiring.installer),
            trunks=BridgedTrunks(bridge, wiring.trunks),
            node=wiring.node,
            control=BridgedControl(bridge, wiring.control) if wiring.control else None,
            originator=BridgedOriginator(bridge, wiring.originator) if wiring.originator else None,
            captures=BridgedCaptures(bridge, wiring.captures) if wiring.captures else None,
            oidc=self._provider(),
            recordings=wiring.recordings,
            keeper=self._keeper(store),
            files=wiring.node_files,
            browsers=self._browsers(bridge),
            phones=BridgedPhones(bridge, wiring.phones) if wiring.phones else None,
            line=BridgedLine(bridge, wiring.line) if wiring.line else None,
            board=BridgedNode(bridge, wiring.board) if wiring.board else None,
            announcer=BridgedAnnouncer(bridge, wiring.audiosocket) if wiring.audiosocket else None,
            requests=RateLimit(*_requests(config)),
        )

    def _keeper(self, store: Store) -> Maintenance | None:
        files = self._wiring.node_files
        return Maintenance(store, self._store_config.retention, self._clock, files) if files is not None else None

    def _browsers(self, bridge: Bridge) -> BrowserAudio | None:
        if self._wiring.browsers is None:
            return None
        config, legs = self._config.browser_audio, self._wiring.browsers
        return BrowserAudio(config, legs, bridge, self._clock, self._random, self.counters, self._secrets.ice)

    async def _keep_store(self, parts: Parts, http: httpx.AsyncClient) -> None:
        """Bring the store up, however long it takes; then say how to begin, and carry webhooks."""
        while True:
            try:
                await parts.store.start()
                await parts.store.open_all()
                await self._key.settle(parts.store, self._now_ms())
                link = await accounts.first_link(parts)
                if self._wiring.files is not None:
                    await publishing.adopt(parts, self._wiring.files)
                break
            except StoreUnavailable as error:
                log.error("the API waits for the store: %s", error)
                await asyncio.sleep(_STORE_AGAIN_S)
            except OtherKey as error:
                self.counters.add("api_key_refused")
                self._vault.shut("this node has another key than the store: see its log")
                log.error("nothing is sealed or opened here: %s", error)
                return
            except ConfigError as error:
                log.error("what is published does not work here, the files stay in force: %s", error)
                break
        if link is not None:
            self.setup_link = f"{self._url()}/setup#{link}"
            log.warning("there are no users yet; make the first one here, once: %s", self.setup_link)
        await Outbox(parts.store, parts.vault, http, parts.clock, parts.random, parts.counters).run()

    def _now_ms(self) -> int:
        return round(self._clock.wall() * 1000)

    def _url(self) -> str:
        """As configured, with the port that we have really got."""
        if self._config.public_url or self._config.listen_port:
            return self._config.url
        return self._config.url.removesuffix(":0") + f":{self.port}"


def _stop(server: uvicorn.Server, hub: EventHub) -> None:
    hub.detach()
    server.should_exit = True


def _listen(config: ApiConfig) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in config.listen_host else socket.AF_INET
        listener = socket.create_server((config.listen_host, config.listen_port), family=family, backlog=512)
        # Accepted sockets inherit it. asyncio sets it only where the protocol was named when the socket was made;
        # without it the body of an answer waits 40 ms for the acknowledgement of its head.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        place = f"{config.listen_host}:{config.listen_port}"
        raise LocalError(f"the API cannot listen on TCP {place}: {os.strerror(error.errno or 0)}") from None


def _try_certificate(config: ApiConfig) -> None:
    """Before there is a thread: what uvicorn finds wrong with it there is told to nobody."""
    if not config.tls_cert:
        return
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(config.tls_cert, config.tls_key)
    except OSError as error:  # what is not there, and what is no certificate (ssl.SSLError)
        raise LocalError(f"the API's certificate {config.tls_cert} cannot be used: {error}") from None


def put_in_force(
    app: FastAPI, config: ApiConfig, provider: OidcClient | None = None, ice: tuple[IceAccount, ...] = ()
) -> None:
    """Other settings, for requests from now on: each of them asks for the parts anew."""
    parts: Parts = app.state.parts
    parts.requests.change(*_requests(config))
    parts.hub.use(config.event_ring, config.watcher_backlog)
    if parts.browsers is not None:
        parts.browsers.use(config.browser_audio, ice)
    app.state.parts = replace(parts, config=config, oidc=provider)


def _uvicorn(config: ApiConfig, app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        lifespan="off",
        ws="websockets-sansio",
        ws_max_size=64 * 1024,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the application sees to them: they may change
        ssl_certfile=config.tls_cert or None,
        ssl_keyfile=config.tls_key or None,
        timeout_graceful_shutdown=int(STOP_S),
    )


def _requests(config: ApiConfig) -> tuple[int, int]:
    """At once, and a minute, of each user or key."""
    return max(1, config.requests_per_minute // 4), config.requests_per_minute


@dataclass(frozen=True, slots=True)
class _Secrets:
    """What the settings name in the environment."""

    provider: str
    """The client's at the provider of logins."""
    ice: tuple[IceAccount, ...]


def _secrets(config: ApiConfig, environment: Mapping[str, str]) -> _Secrets:
    """Raises ConfigError."""
    return _Secrets(_oidc_secret(config, environment), ice_accounts(config.browser_audio, environment))


def _oidc_secret(config: ApiConfig, environment: Mapping[str, str]) -> str:
    name = config.oidc.client_secret_env
    if not config.oidc.issuer or not name:
        return ""
    if not environment.get(name):
        raise ConfigError(f"the environment variable {name} is not set", fix=f"set {name} for the server")
    return environment[name]
