"""The composition root: the only module, besides the media process's own, that names concrete adapters."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from voicegw.agents.lexicon import load_lexicon
from voicegw.agents.llm_agent import LlmHouse
from voicegw.agents.load import load_agents
from voicegw.base.clock import Clock, SystemClock
from voicegw.base.errors import ConfigError
from voicegw.base.metrics import Counters
from voicegw.cluster.lines import SharedLines as ClusterLines
from voicegw.cluster.memory import MemoryHouse, MemoryShared
from voicegw.cluster.tasks import Tasks
from voicegw.config import Config, LimitsConfig
from voicegw.dialplan.load import load_dialplan
from voicegw.gateway.audiosocket.config import AudioSocketConfig
from voicegw.gateway.events import LegEvent
from voicegw.gateway.resources import Resources
from voicegw.gateway.shared_lines import SharedLines
from voicegw.gateway.sip_leg import SipGateway
from voicegw.gateway.toll_desk import TollDesk
from voicegw.gateway.trunk_desk import TrunkDesk
from voicegw.gateway.trunk_files import load_trunks
from voicegw.inference.pool import WorkerPool, pool_levels
from voicegw.inference.registry import make_asr, make_eot, make_tts
from voicegw.inference.settings import EngineSettings
from voicegw.media.pool import MediaPool
from voicegw.ports.cluster import LinePool, Owner
from voicegw.ports.http import HttpClient
from voicegw.recording.recovery import recover_partial, remove_recording
from voicegw.recording.seal_keys import SealPublicKey, read_public_keys
from voicegw.runtime.audiosocket_signalling import AudioSocketDoor, SignallingWithAudioSocket
from voicegw.runtime.browser_legs import BrowserLegs, SignallingWithBrowsers
from voicegw.runtime.call_manager import CallManager
from voicegw.runtime.capture_house import CaptureHouse
from voicegw.runtime.dialplan_store import DialplanStore, Installation
from voicegw.runtime.fact_meter import FactMeter
from voicegw.runtime.house_texts import HouseTexts
from voicegw.runtime.http_client import HttpxClient
from voicegw.runtime.node import Closable, Node
from voicegw.runtime.prompt_files import PromptFiles
from voicegw.runtime.services import CallServices, FactListener, Music, Signalling
from voicegw.runtime.speech import Speech
from voicegw.runtime.watched_asr import WatchedAsr
from voicegw.runtime.watched_voice import VoicePatience
from voicegw.server_homer import HomerDesk
from voicegw.server_llm import LlmParts
from voicegw.server_media_start import changed_settings, command_lines
from voicegw.server_traces import TraceDesk
from voicegw.sip.nonces import SharedNonces
from voicegw.storage.event_log import EventLog
from voicegw.storage.node_files import NodeFiles
from voicegw.storage.sinks import Sinks
from voicegw.storage.writer import StoreWriter


def load_installation(config: Config, http: HttpClient, house: LlmHouse) -> Installation:
    """Dialplan and agents from their files; raises ConfigError with everything that is wrong."""
    if not Path(config.paths.agents).is_dir():
        raise ConfigError("there is no such directory", file=config.paths.agents, fix="set paths.agents")
    words = load_lexicon(Path(config.speech.lexicon)) if config.speech.lexicon else ()
    agents = load_agents(Path(config.paths.agents), http, os.environ, house, words)
    return Installation(load_dialplan(Path(config.paths.dialplan), agents.keys()), agents)


def make_directory(path: str, setting: str) -> Path:
    """A directory to write to; raises ConfigError naming the setting that leads there."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fix = f"let {setting} be one in which this user may write"
        raise ConfigError(f"cannot be made: {error.strerror}", file=path, fix=fix) from None
    return Path(path)


def make_places(config: Config) -> None:
    """Where calls to come leave recordings and logs; what a crash left there is finished. Raises ConfigError."""
    paths = config.paths
    if paths.recordings:
        recover_partial(str(make_directory(paths.recordings, "paths.recordings")))
    if paths.calls:
        make_directory(paths.calls, "paths.calls")


def make_llm_parts(config: Config, http: HttpClient, clock: Clock, counters: Counters) -> LlmParts:
    """Language models and tools, as the configuration names them."""
    return LlmParts(config.llm, Path(config.paths.tools), http, clock, counters)


def load_offline(config: Config) -> Installation:
    """Dialplan and agents for looking at them only: nothing is started."""
    http = HttpxClient()
    return load_installation(config, http, make_llm_parts(config, http, SystemClock(), Counters()))


def make_speech(config: Config, counters: Counters) -> Speech:
    """The engines that the configuration names."""
    speech = config.speech
    settings = EngineSettings(
        cache_dir=Path(config.paths.cache),
        counters=counters,
        models_dir=Path(config.paths.models),
        whisper=config.whisper,
        transcription=config.transcription,
        piper=config.piper,
        speech_server=config.speech_server,
    )
    asr = make_asr(speech.asr, replace(settings, workers=speech.asr_workers))
    watched = WatchedAsr(asr, counters, speech.asr_final_ms)
    tts = [make_tts(name, replace(settings, workers=speech.tts_workers)) for name in speech.tts]
    owned = (getattr(engine, "pool", None) for engine in (asr, *tts))
    pools = [pool for pool in owned if isinstance(pool, WorkerPool)]
    return Speech(
        watched,
        tts,
        counters,
        gauges=lambda: pool_levels(pools),
        keeps_up=lambda: not any(pool.is_behind for pool in pools),
        patience=VoicePatience(speech.tts_first_audio_ms, speech.tts_stall_ms),
        prompt_files=PromptFiles(Path(config.paths.cache) / "prompts"),
        house=HouseTexts(config.texts),
        eot=make_eot(speech.eot, settings),
    )


def make_fact_sinks(config: Config, counters: Counters, files: NodeFiles) -> Sinks:
    """Where facts go: the store, and a plain log where one is wished; raises LocalError."""
    make_places(config)
    logs = EventLog(files.logs, counters)
    writer = StoreWriter(config.store, counters, files=files)
    return Sinks(writer, logs, levels=writer.gauges, use=writer.use, move=logs.use)


def node_files(config: Config) -> NodeFiles:
    """What this node keeps of calls beside the database; erasing a call reaches it."""
    paths = config.paths
    return NodeFiles(
        spool=Path(config.store.spool),
        recordings=paths.recordings_folder,
        logs=paths.calls_folder,
        tools=Path(paths.tools),
        remove=remove_recording,
    )


def build(
    config: Config,
    on_fact: FactListener = lambda _call_id, _entry: None,
    browsers: BrowserLegs | None = None,
    http: HttpxClient | None = None,
    cluster: LinePool | None = None,
    counters: Counters | None = None,
    nonces: SharedNonces | None = None,
) -> Node:
    """Construct a node without effects on the outside but the directories it writes to.

    ``browsers``: those that an API connects to supervise calls. ``http`` is closed with the node, which makes its
    own where none is given. ``cluster``: lines that other nodes take as well, counted in ``counters``. ``nonces``:
    what nodes have in common that take the answers to one another's challenges.
    """
    counters, clock, http = counters or Counters(), SystemClock(), http or HttpxClient()
    meter = FactMeter(counters, clock, on_fact)
    traces = TraceDesk(config.observability.otlp, config.log.key(os.environ), clock, counters, meter)
    make_directory(str(Path(config.paths.tools).parent), "the directory of paths.tools")
    models = make_llm_parts(config, http, clock, counters)
    store = DialplanStore(lambda: load_installation(config, http, models))
    files = node_files(config)
    speech = make_speech(config, counters)
    log = make_fact_sinks(config, counters, files)
    lines = SharedLines(cluster or _own_lines(counters), alone=cluster is None)
    found = load_trunks(Path(config.paths.trunks), os.environ).values()
    tolls = TollDesk(config.tolls, clock, counters)
    trunks = TrunkDesk(found, config.sip.strangers, counters, lines, tolls)
    gateway = SipGateway(
        config.sip,
        lambda event: manager.on_leg_event(event),
        random=os.urandom,
        clock=clock,
        counters=counters,
        credentials=trunks.credentials,
        phones=config.phones,
        trunks=trunks,
        nonces=nonces,
        node_name=config.cluster.node,
    )
    limit_gateway(gateway, config.limits)
    closables: tuple[Closable, ...] = (http,)
    homer = HomerDesk(config.observability.hep, gateway, clock, counters)
    media = MediaPool(
        media_lines(config, read_public_keys(config.recording.seal_to)),
        homer.told_first(lambda event: manager.on_media_event(event)),
        lambda worker, reason: manager.on_worker_lost(worker, reason),
        lambda calls, reason: manager.on_calls_lost(calls, reason),
        full_busy=config.media.full_busy,
        full_late=config.media.full_late,
    )
    signalling: Signalling = gateway if browsers is None else SignallingWithBrowsers(gateway, browsers)
    sockets = _audiosocket(config.audiosocket, lambda event: manager.on_leg_event(event), clock, counters)
    services = CallServices(
        signalling if sockets is None else SignallingWithAudioSocket(signalling, sockets),
        media,
        speech,
        speech.asr,
        log,
        store.current.agents,
        clock,
        os.urandom,
        counters,
        files.recordings,
        config.call,
        config.turn,
        traces,
        redactor=config.privacy.redactor,
        transfers=config.transfer,
        music=make_music(config.transfer.music),
        supervision=config.supervision,
        texts=HouseTexts(config.texts),
        eot=speech.eot,
        recording_format=config.recording.format,
        tracing=traces,
        captures=CaptureHouse(config.observability.capture, clock.monotonic),
    )
    manager = CallManager(services, store, config.limits.max_calls)
    manager.on_caller_heard = meter.media_heard
    if browsers is not None:
        browsers.on_event = manager.on_leg_event
    levels = (log.gauges, speech.gauges, *(() if sockets is None else (sockets.gauges,)))
    parts = (gateway, media, speech, models, manager, store, counters, closables, log)
    node = Node(*parts, levels=levels, audiosocket=sockets, homer=homer, traces=traces, files=files)
    manager.keeps_up = lambda: node.speech.keeps_up()
    return node


def limit_gateway(gateway: SipGateway, limits: LimitsConfig) -> None:
    """What of the limits the gateway sees to, from now on."""
    gateway.watch_resources(Resources(limits.memory_mb, limits.spare_files).short_of)
    gateway.limit_numbers(limits.calls_per_minute_to_number, limits.calls_per_minute_from_number)
    gateway.trunks.shared.per_number = limits.max_calls_per_number


def media_lines(config: Config, seal_to: Sequence[SealPublicKey]) -> list[list[str]]:
    """What starts each media worker."""
    return command_lines(
        config.media,
        log_level=config.log.level,
        log_personal=config.log.personal,
        seal_to=seal_to,
        recording=config.recording,
        tell_reports=_tells(config),
    )


def _tells(config: Config) -> bool:
    hep = config.observability.hep
    return bool(hep.to) and hep.reports


def change_media(media: MediaPool, config: Config, seal_to: Sequence[SealPublicKey]) -> None:
    """What of the configuration media workers see to, from now on."""
    settings = changed_settings(
        config.media, config.log.level, config.log.personal, seal_to, config.recording, tell_reports=_tells(config)
    )
    media.change_limits(config.media.full_busy, config.media.full_late)
    media.change(media_lines(config, seal_to), settings)


def _own_lines(counters: Counters) -> LinePool:
    """Of numbers, for a node on its own: it is asked only while they have a limit."""
    shared = MemoryShared(MemoryHouse(SystemClock().monotonic))
    return ClusterLines(shared, Owner("", ""), counters, Tasks())


def _audiosocket(
    config: AudioSocketConfig, on_event: Callable[[LegEvent], None], clock: Clock, counters: Counters
) -> AudioSocketDoor | None:
    """A second way in, where there is one."""
    if not config.listeners:
        return None
    from voicegw.gateway.audiosocket.legs import AudioSocketLegs  # with numpy, which takes long to import

    return AudioSocketLegs(config, on_event, os.urandom, clock, counters)


def make_music(path: str) -> Music | None:
    """For callers who wait; None where they hear the ringing tone."""
    if not path:
        return None
    from voicegw.runtime.music import load_music  # with numpy, which takes long to import

    return load_music(path)
