"""Settings that are put in force while a node is there: each of them is where it is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tests.unit.api.rig import Rig
from tests.unit.gateway.nodes import Node, RawSocket, run
from voicegw.api.config import ApiConfig
from voicegw.api.service import put_in_force
from voicegw.base.clock import SystemClock
from voicegw.base.errors import ConfigError, LocalError
from voicegw.base.ids import CallId
from voicegw.base.personal import Disclosure, PersonalView
from voicegw.call.capture_config import CaptureConfig
from voicegw.call.facts import Entry, KeyWasPressed
from voicegw.call.supervision import SupervisionConfig
from voicegw.cluster.config import ClusterConfig
from voicegw.config import Config, LimitsConfig, LogConfig, PathsConfig, SpeechConfig
from voicegw.gateway.audiosocket.config import AudioSocketConfig, AudioSocketListener
from voicegw.gateway.audiosocket.legs import AudioSocketLegs
from voicegw.gateway.config import SipConfig
from voicegw.gateway.hep_config import HepConfig
from voicegw.gateway.ladder_config import LadderConfig
from voicegw.gateway.listener_config import ListenerConfig
from voicegw.gateway.phone_config import PhonesConfig
from voicegw.gateway.sip_leg import SipGateway
from voicegw.gateway.tls_config import TlsClientSettings
from voicegw.media.config import MediaConfig
from voicegw.media.pool import MediaPool
from voicegw.ports.cluster import Line
from voicegw.recording.config import RecordingConfig
from voicegw.recording.seal_keys import KeyRing, SealPrivateKey, write_key_pair
from voicegw.runtime.node import Node as RunningNode
from voicegw.runtime.observability_config import ObservabilityConfig
from voicegw.runtime.services import CallServices
from voicegw.server import build, media_lines
from voicegw.server_homer import HomerDesk
from voicegw.server_settings import LiveSettings
from voicegw.storage.config import RetentionConfig, StoreConfig
from voicegw.storage.sinks import Sinks
from voicegw.storage.writer import StoreWriter
from voicegw.telemetry.config import OtlpConfig

LISTENER = AudioSocketListener(port=0, called="7100")


@pytest.fixture
def node(tmp_path: Path) -> Iterator[tuple[RunningNode, LiveSettings]]:
    """One that is built and not started, with its settings."""
    places = ("trunks", "calls", "recordings", "cache", "tools", "models", "control")
    paths = PathsConfig(**{place: str(tmp_path / place) for place in places})
    store = StoreConfig(url=f"sqlite:///{tmp_path / 'store'}", spool=str(tmp_path / "spool"))
    config = Config(paths=paths, store=store, audiosocket=AudioSocketConfig((LISTENER,)))
    made = build(config)
    yield made, LiveSettings(config, made)
    made.call_log.close()


def given_to_calls(node: RunningNode) -> CallServices:
    found: list[CallServices] = []

    def look(services: CallServices) -> CallServices:
        found.append(services)
        return services

    node.manager.change(look)
    return found[0]


def apply(settings: LiveSettings, wanted: Config) -> None:
    assert settings.split(wanted)[1] == ()
    asyncio.run(settings.apply(settings.plan(wanted)))
    assert settings.current == wanted


def test_what_calls_are_given_changes_for_those_to_come(node: tuple[RunningNode, LiveSettings]) -> None:
    built, settings = node
    supervision = SupervisionConfig(prefix="look", max_per_call=1)
    wanted = replace(settings.current, supervision=supervision, recording=RecordingConfig(format="opus"))
    apply(settings, wanted)
    services = given_to_calls(built)
    assert (services.supervision, services.recording_format) == (supervision, "opus")
    assert built.manager.codes.is_code("look+1") and not built.manager.codes.is_code("supervise+1")


def test_limits_of_calls_captures_and_workers(node: tuple[RunningNode, LiveSettings]) -> None:
    built, settings = node
    assert isinstance(built.gateway, SipGateway) and isinstance(built.media, MediaPool)
    assert built.gateway.trunks.shared.wanted(None, "100") == (), "nobody is asked where nothing is limited"
    wanted = replace(
        settings.current,
        limits=LimitsConfig(max_calls=7, max_calls_per_number=3),
        observability=ObservabilityConfig(capture=CaptureConfig(at_once=0)),
        media=replace(settings.current.media, full_busy=0.5, full_late=0.125),
        recording=RecordingConfig(keep_free_mb=7, max_total_mb=9),
    )
    apply(settings, wanted)
    (worker,) = built.media._workers
    assert {"--keep-free-mb 7", "--max-total-mb 9"} <= set(map(" ".join, pairwise(worker.client.command_line)))
    assert built.gateway.trunks.shared.wanted(None, "100") == (Line("number/100", 3),)
    assert built.manager.max_calls == 7
    assert "0 calls are being captured" in built.manager.captures.take(CallId("a"))
    assert (worker.fullness.busy_limit, worker.fullness.late_limit) == (0.5, 0.125)


def test_the_gateway_and_its_phones_and_audiosocket(node: tuple[RunningNode, LiveSettings]) -> None:
    built, settings = node
    assert isinstance(built.gateway, SipGateway)
    closed = replace(LISTENER, allow=("192.0.2.0/24",))
    wanted = replace(
        settings.current,
        sip=SipConfig(strangers="refuse", overload_ms=99, ladder=LadderConfig(messages=0)),
        phones=PhonesConfig(ring_s=7.0, ping_s=8.0),
        audiosocket=AudioSocketConfig((closed,), id_s=0.5),
    )
    told: list[PhonesConfig] = []
    settings.on_phones = told.append
    apply(settings, wanted)
    assert not built.gateway.trunks.welcomes("192.0.2.1")
    assert built.gateway._driver._load.limit_s == 0.099
    assert built.gateway.registrar.config.ping_s == 8.0 and built.gateway._ringing.ring_s == 7.0
    assert isinstance(built.audiosocket, AudioSocketLegs)
    assert built.audiosocket._new(0) in built.audiosocket._connections
    assert list(built.audiosocket._connections.values()) == [closed]
    assert told == [wanted.phones]


def test_homer_is_told_another_homer_and_nobody() -> None:
    async def story() -> None:
        gateway, peer, first, second = Node(), RawSocket(), RawSocket(), RawSocket()
        homes = [HepConfig(to=f"127.0.0.1:{one.port}") for one in (first, second)]
        desk = HomerDesk(HepConfig(), gateway.gateway, SystemClock(), gateway.counters)
        try:
            for home, config in zip((first, second), homes, strict=True):
                await desk.use(config)
                await peer.is_answered(gateway)
                for _ in ("OPTIONS", "200"):
                    assert (await asyncio.get_running_loop().sock_recv(home.socket, 65_535)).startswith(b"HEP3")
            with pytest.raises(LocalError):
                await desk.use(HepConfig(to="127.0.0.1:9", transport="tls", tls=TlsClientSettings(ca="/nowhere")))
            await peer.is_answered(gateway)
            for _ in ("OPTIONS", "200"):
                await asyncio.get_running_loop().sock_recv(second.socket, 65_535)
            await desk.use(HepConfig())
            await peer.is_answered(gateway)
            for home in (first, second):
                with pytest.raises(BlockingIOError):
                    home.socket.recv(65_535)
        finally:
            await desk.close()
            gateway.gateway.close()
            for one in (peer, first, second):
                one.close()

    run(story())


def test_the_store_keeps_as_long_as_it_is_told(node: tuple[RunningNode, LiveSettings]) -> None:
    built, settings = node
    kept = RetentionConfig(events_days=30)
    apply(settings, replace(settings.current, store=replace(settings.current.store, retention=kept, spool_mb=7)))
    assert isinstance(built.call_log, Sinks)
    assert built.call_log.gauges()["store_spool_limit_bytes"] == 7 * 1024 * 1024
    (writer,) = (one for one in built.call_log._sinks if isinstance(one, StoreWriter))
    delivery = writer._delivery
    assert delivery._retention == kept
    assert delivery._maintenance is None or delivery._maintenance.retention == kept


def test_calls_to_come_leave_their_files_in_the_new_folders(
    node: tuple[RunningNode, LiveSettings], tmp_path: Path
) -> None:
    built, settings = node
    told: list[Path | None] = []
    settings.on_recordings = told.append
    places = {"recordings": tmp_path / "new" / "audio", "calls": tmp_path / "new" / "logs"}
    paths = replace(settings.current.paths, **{name: str(place) for name, place in places.items()})
    apply(settings, replace(settings.current, paths=paths))
    assert given_to_calls(built).recordings == places["recordings"]
    assert told == [places["recordings"]] and all(place.is_dir() for place in places.values())
    assert built.files is not None
    assert (built.files.recordings, built.files.logs) == (places["recordings"], places["calls"])
    built.call_log.append(CallId("a"), Entry(0, 0.0, KeyWasPressed("5")))  # type: ignore[attr-defined]
    built.call_log.flush()
    assert [path.name for path in places["calls"].iterdir()] == ["a.jsonl"]
    (tmp_path / "file").touch()
    for name in places:
        with pytest.raises(ConfigError, match=f"paths.{name}"):
            apply(settings, replace(settings.current, paths=replace(paths, **{name: str(tmp_path / "file" / "x")})))
    apply(settings, replace(settings.current, paths=replace(paths, recordings="", calls="")))
    assert given_to_calls(built).recordings is None and told[1:] == [None]


def test_engines_start_anew_where_their_files_are_elsewhere(
    node: tuple[RunningNode, LiveSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built, settings = node
    made: list[PathsConfig] = []

    class Engines:
        asr = eot = None

        async def start(self) -> None: ...

        async def close(self) -> None: ...

    def make(config: Config, _counters: object) -> Engines:
        made.append(config.paths)
        return Engines()

    monkeypatch.setattr("voicegw.server_settings.make_speech", make)
    for name in ("cache", "models"):
        paths = replace(settings.current.paths, **{name: str(tmp_path / "new")})
        apply(settings, replace(settings.current, paths=paths))
        assert made.pop() == paths and not made
        assert given_to_calls(built).speaker is built.speech  # type: ignore[comparison-overlap]


class Worker:
    """A media worker that is started and ended, and not there at all."""

    lines: tuple[str, ...] = ()
    ready, report, pid = True, None, None

    def __init__(self, line: Sequence[str], _on_event: object, _on_lost: object) -> None:
        self.command_line, self.ended = tuple(line), False

    async def start(self) -> None:
        if '"max_legs":7,' in self.command_line[self.command_line.index("--settings") + 1]:
            raise LocalError("no luck")

    async def close(self) -> None:
        self.ended = True

    def send(self, _command: object) -> None: ...


def test_media_workers_of_another_make_take_the_calls_to_come(
    node: tuple[RunningNode, LiveSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voicegw.media.pool.MediaClient", Worker)
    built, settings = node
    assert isinstance(built.media, MediaPool)
    media = MediaConfig(workers=2, port_low=20000, port_high=20099, max_legs=64)
    before = built.media._workers
    apply(settings, replace(settings.current, media=media))
    made = [one.client.command_line for one in built.media._workers]
    assert made == [tuple(line) for line in media_lines(settings.current, ())] and built.media._workers != before
    with pytest.raises(ConfigError, match="media workers do not start"):
        apply(settings, replace(settings.current, media=replace(media, max_legs=7)))
    assert [one.client.command_line for one in built.media._workers] == made and settings.current.media == media


def test_media_workers_that_were_started_in_vain_are_ended(
    node: tuple[RunningNode, LiveSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Worker] = []

    class Noted(Worker):
        async def start(self) -> None:
            started.append(self)

    def fails(_config: Config, _counters: object) -> None:
        raise ConfigError("no engine")

    monkeypatch.setattr("voicegw.media.pool.MediaClient", Noted)
    monkeypatch.setattr("voicegw.server_settings.make_speech", fails)
    _, settings = node
    wanted = replace(settings.current, media=MediaConfig(max_legs=64), speech=SpeechConfig(asr_workers=1))
    with pytest.raises(ConfigError, match="no engine"):
        apply(settings, wanted)
    assert [one.ended for one in started] == [True]


def test_what_is_seen_of_people_in_the_log(
    node: tuple[RunningNode, LiveSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, bool, Disclosure]] = []

    def configure(level: str, *, json_lines: bool, view: PersonalView) -> None:
        seen.append((level, json_lines, view.disclosure))

    monkeypatch.setattr("voicegw.server_settings.configure", configure)
    _, settings = node
    apply(settings, replace(settings.current, log=LogConfig("warning", "json", "drop")))
    assert seen == [("warning", True, Disclosure.DROP)]


def test_the_api_asks_anew_for_each_request(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    try:
        rig.user("anna", "admin")
        assert [rig.get("/v1/session", "anna").status_code for _ in range(3)] == [200] * 3
        put_in_force(rig.app, ApiConfig(requests_per_minute=4, session_h=1.0))
        assert [rig.get("/v1/session", "anna").status_code for _ in range(2)] == [200, 429]
        assert rig.app.state.parts.config.session_h == 1.0
    finally:
        rig.close()


def test_traces_begin_with_their_collector(node: tuple[RunningNode, LiveSettings]) -> None:
    built, settings = node
    tracing = given_to_calls(built).tracing
    assert tracing is not None and tracing.trace(CallId("a"), {}, "") is None
    otlp = OtlpConfig("http://127.0.0.1:9/v1/traces")
    apply(settings, replace(settings.current, observability=ObservabilityConfig(otlp=otlp)))
    assert tracing.trace(CallId("b"), {}, "") is not None
    lost = replace(otlp, secret_headers={"Authorization": "VOICEGW_TEST_NOT_THERE"})
    with pytest.raises(ConfigError, match="VOICEGW_TEST_NOT_THERE"):
        asyncio.run(settings.apply(replace(settings.current, observability=ObservabilityConfig(otlp=lost))))
    assert settings.current.observability.otlp == otlp


def test_a_listener_whose_certificate_cannot_be_read_refuses_the_reload(
    node: tuple[RunningNode, LiveSettings],
) -> None:
    _, settings = node
    listener = ListenerConfig("tls", 5061, "127.0.0.1", certificate="/nowhere/sip.pem")
    with pytest.raises(ConfigError, match=r"/nowhere/sip\.pem"):
        asyncio.run(settings.apply(replace(settings.current, sip=SipConfig(listeners=(listener,)))))


def test_other_keys_open_recordings_and_those_that_cannot_be_read_change_nothing(
    node: tuple[RunningNode, LiveSettings], tmp_path: Path
) -> None:
    _, settings = node
    key, rings = SealPrivateKey.generate(), list[KeyRing]()
    settings.on_keys = rings.append
    write_key_pair(key, tmp_path / "seal.key", tmp_path / "seal.pub")
    apply(settings, replace(settings.current, recording=RecordingConfig(unseal_with=(str(tmp_path / "seal.key"),))))
    (ring,) = rings
    assert ring.get(key.public_key().key_id) is not None
    with pytest.raises(ConfigError, match="gone"):
        apply(settings, replace(settings.current, recording=RecordingConfig(unseal_with=("/gone.key",))))
    assert len(settings.current.recording.unseal_with) == 1


def test_the_cluster_and_the_watch_over_files_are_told(node: tuple[RunningNode, LiveSettings]) -> None:
    _, settings = node
    told: list[object] = []
    settings.on_cluster = told.append
    settings.on_files = lambda config: told.append(config.store.watch_s)
    wanted = replace(
        settings.current,
        cluster=ClusterConfig(beat_ms=100, api_url="https://a.example"),
        store=replace(settings.current.store, watch_s=3.0),
    )
    apply(settings, wanted)
    assert told == [3.0, wanted]

    def refuse(_config: Config) -> None:
        raise ConfigError("no address")

    settings.check_cluster = refuse
    with pytest.raises(ConfigError, match="no address"):
        apply(settings, replace(wanted, cluster=ClusterConfig(host_env="POD")))
    assert told == [3.0, wanted]
