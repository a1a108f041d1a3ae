"""The configuration file: one YAML, every section the frozen model of the code it configures.

Unknown keys, wrong types and impossible values are errors with file and line. Without a file the defaults make the
embedded server: everything on this machine, nothing to install but what ``scripts/run`` installs.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast, get_args, get_origin, get_type_hints

from pydantic import BaseModel, Field, create_model

from voicegw.api.config import ApiConfig
from voicegw.base.errors import ConfigError
from voicegw.base.personal import Disclosure, PersonalView
from voicegw.call.call_config import CallConfig
from voicegw.call.supervision import SupervisionConfig
from voicegw.call.transfer import TransferConfig
from voicegw.cluster.config import ClusterConfig
from voicegw.dialplan.checked import StrictModel, load_yaml, read_text
from voicegw.gateway.audiosocket.config import AudioSocketConfig
from voicegw.gateway.config import SipConfig
from voicegw.gateway.phone_config import PhonesConfig
from voicegw.gateway.tolls.config import TollConfig
from voicegw.inference.asr.faster_whisper_config import WhisperConfig
from voicegw.inference.asr.openai_transcription_config import TranscriptionConfig
from voicegw.inference.llm.config import ChainConfig, ChatServerConfig
from voicegw.inference.models.config import ModelsConfig
from voicegw.inference.registry import ASR, TTS
from voicegw.inference.tts.openai_speech_config import SpeechServerConfig
from voicegw.inference.tts.piper_config import PiperConfig
from voicegw.media.config import MediaConfig
from voicegw.recording.config import RecordingConfig
from voicegw.runtime.drain import DrainConfig
from voicegw.runtime.house_texts import TextsConfig
from voicegw.runtime.observability_config import ObservabilityConfig
from voicegw.runtime.privacy_config import PrivacyConfig
from voicegw.storage.config import StoreConfig, absolute_url
from voicegw.turn.barge_in import BargeInConfig
from voicegw.turn.endpointing import EndpointingConfig
from voicegw.turn.machine import TurnConfig
from voicegw.turn.speculation import SpeculationConfig

SHIPPED_DIALPLANS = Path(__file__).resolve().parent.parent / "dialplans"
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("text", "json")
DISCLOSURES = tuple(one.value for one in Disclosure)
_KEY_OF_THIS_START = os.urandom(32)


def _at_least(name: str, value: float, least: int) -> None:
    if value < least:
        raise ConfigError(f"{name} is {value}", fix=f"at least {least}")


@dataclass(frozen=True, slots=True)
class SpeechConfig:
    """Which engines, by their names in the inference registry."""

    asr: str = "pocketsphinx"
    """The recogniser."""
    tts: tuple[str, ...] = ("flite", "espeak")
    """Synthesisers in order of preference; the next takes over when one fails or does not know the language."""
    asr_workers: int = 2
    """Recognition processes. One decodes about six callers who all speak at once."""
    tts_workers: int = 1
    """Synthesis processes. One makes speech about thirty times faster than it is spoken."""
    tts_first_audio_ms: int = 1250
    """A synthesiser that has made no audio of a sentence by then has failed for it, and the next one is asked. The
    last one that is left gets twice that, less what the others took."""
    tts_stall_ms: int = 1500
    """Between two pieces of a sentence; more, and the rest of it is given up."""
    asr_final_ms: int = 4000
    """From the end of what a caller said to its text; more, and the recogniser has failed for this turn."""
    lexicon: str = ""
    """A file of pronunciations for all agents; empty for none."""
    eot: str = ""
    """An end-of-turn model in the folder of models (``eot/NAME.onnx``); empty for none."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        for kind, names, known in (("recogniser", (self.asr,), ASR), ("synthesiser", self.tts, TTS)):
            unknown = [name for name in names if name not in known]
            if unknown or not names:
                given = ", ".join(map(repr, unknown)) or "nothing"
                raise ConfigError(f"there is no {kind} called {given}", fix=f"choose from: {', '.join(known)}")
        _at_least("asr_workers", self.asr_workers, 1)
        _at_least("tts_workers", self.tts_workers, 1)
        for name in ("tts_first_audio_ms", "tts_stall_ms", "asr_final_ms"):
            _at_least(name, getattr(self, name), 100)


@dataclass(frozen=True, slots=True)
class LlmConfig:
    """Language models for agents of ``kind: llm``."""

    servers: tuple[ChatServerConfig, ...] = ()
    """OpenAI-compatible servers; agents name them in their order of preference."""
    chain: ChainConfig = field(default_factory=ChainConfig)
    """Patience with them."""


@dataclass(frozen=True, slots=True)
class PathsConfig:
    """Where things are; relative paths count from the directory of the configuration file, or the current one."""

    dialplan: str = str(SHIPPED_DIALPLANS / "dialplan.yaml")
    """The routes."""
    agents: str = str(SHIPPED_DIALPLANS / "agents")
    """A directory with one YAML file an agent."""
    trunks: str = "trunks"
    """A directory with one YAML file a trunk; none is no trunk."""
    calls: str = ""
    """One JSON-lines log a call beside the store; empty for none. Retention and erasure reach them."""
    recordings: str = "var/recordings"
    """One stereo WAV a call; empty for no recordings."""
    cache: str = "var/cache"
    """Compiled language models, and the audio of prompts."""
    tools: str = "var/tools.sqlite"
    """The ledger of what tools did."""
    models: str = "models"
    """Models and voices; ``voicegw models pull`` puts them there."""
    control: str = "var/control.sock"
    """The socket by which ``voicegw drain`` and its like reach the running server; empty: none. Whoever may open it
    may use it: it belongs to the server's user alone."""

    @property
    def recordings_folder(self) -> Path | None:
        """None where nothing is recorded."""
        return Path(self.recordings) if self.recordings else None

    @property
    def calls_folder(self) -> Path | None:
        """None where there are no plain logs."""
        return Path(self.calls) if self.calls else None


@dataclass(frozen=True, slots=True)
class LogConfig:
    """Logs go to standard error."""

    level: str = "info"
    """debug, info, warning or error."""
    format: str = "text"
    """text for people, json for machines."""
    personal: str = "keep"
    """Numbers, addresses of people, names, words and keys: ``keep``, ``hash`` (pseudonyms) or ``drop``."""
    personal_key_env: str = ""
    """The variable of the environment that has the key of pseudonyms. Empty: a key of this start, after which the
    same caller has another pseudonym."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        if self.level not in LOG_LEVELS:
            raise ConfigError(f"there is no log level {self.level!r}", fix=f"one of: {', '.join(LOG_LEVELS)}")
        if self.format not in LOG_FORMATS:
            raise ConfigError(f"there is no log format {self.format!r}", fix=f"one of: {', '.join(LOG_FORMATS)}")
        if self.personal not in DISCLOSURES:
            raise ConfigError(f"personal is {self.personal!r}", fix=f"one of: {', '.join(DISCLOSURES)}")

    def view(self, environment: Mapping[str, str]) -> PersonalView:
        """What of people may be seen in logs; raises ConfigError."""
        return PersonalView(Disclosure(self.personal), self.key(environment))

    def key(self, environment: Mapping[str, str]) -> bytes:
        """That of pseudonyms; raises ConfigError where its variable is not set."""
        if not self.personal_key_env:
            return _KEY_OF_THIS_START
        if not environment.get(self.personal_key_env):
            name = self.personal_key_env
            raise ConfigError(f"log: the environment variable {name} is not set", fix=f"set {name} for the server")
        return environment[self.personal_key_env].encode()


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """What one node takes on."""

    max_calls: int = 200
    """More are refused with 503 and Retry-After. A core carries about 300 legs without speech engines."""
    max_calls_per_number: int = 0
    """Calls to one number at once, over all nodes of a cluster; more get 486 (Busy Here). 0: no limit."""
    calls_per_minute_to_number: int = 0
    """To one of our numbers, on this node; more get 480 with Retry-After. 0: no limit."""
    calls_per_minute_from_number: int = 0
    """From one caller's number, on this node; more get 480 with Retry-After. 0: no limit."""
    memory_mb: int = 0
    """Of the server's own process (workers of media and speech not counted); above, new calls get 503. 0: no
    limit."""
    spare_files: int = 64
    """With fewer files left to be opened, new calls get 503."""
    drain_s: float = 30.0
    """After a signal to stop, running calls may finish for this long; then ``drain.farewell`` counts."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        _at_least("max_calls", self.max_calls, 1)
        for name in (
            "max_calls_per_number",
            "calls_per_minute_to_number",
            "calls_per_minute_from_number",
            "memory_mb",
            "spare_files",
        ):
            _at_least(name, getattr(self, name), 0)
        _at_least("drain_s", self.drain_s, 0)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be configured."""

    sip: SipConfig = field(default_factory=SipConfig)
    phones: PhonesConfig = field(default_factory=PhonesConfig)
    tolls: TollConfig = field(default_factory=TollConfig)
    audiosocket: AudioSocketConfig = field(default_factory=AudioSocketConfig)
    media: MediaConfig = field(default_factory=MediaConfig)
    speech: SpeechConfig = field(default_factory=SpeechConfig)
    whisper: WhisperConfig = field(default_factory=WhisperConfig)
    transcription: TranscriptionConfig = field(default_factory=TranscriptionConfig)
    piper: PiperConfig = field(default_factory=PiperConfig)
    speech_server: SpeechServerConfig = field(default_factory=SpeechServerConfig)
    models: ModelsConfig = field(default_factory=ModelsConfig)
    llm: LlmConfig = field(default_factory=LlmConfig)
    texts: TextsConfig = field(default_factory=TextsConfig)
    call: CallConfig = field(default_factory=CallConfig)
    transfer: TransferConfig = field(default_factory=TransferConfig)
    supervision: SupervisionConfig = field(default_factory=SupervisionConfig)
    endpointing: EndpointingConfig = field(default_factory=EndpointingConfig)
    barge_in: BargeInConfig = field(default_factory=BargeInConfig)
    speculation: SpeculationConfig = field(default_factory=SpeculationConfig)
    paths: PathsConfig = field(default_factory=PathsConfig)
    store: StoreConfig = field(default_factory=StoreConfig)
    recording: RecordingConfig = field(default_factory=RecordingConfig)
    privacy: PrivacyConfig = field(default_factory=PrivacyConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    drain: DrainConfig = field(default_factory=DrainConfig)
    log: LogConfig = field(default_factory=LogConfig)
    api: ApiConfig = field(default_factory=ApiConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    observability: ObservabilityConfig = field(default_factory=ObservabilityConfig)

    @property
    def turn(self) -> TurnConfig:
        """The turn machine's part."""
        return TurnConfig(self.endpointing, self.barge_in, self.speculation)


def load_config(path: Path | None) -> Config:
    """Read a configuration file, or take the defaults; raises ConfigError with file, line and fix."""
    if path is None:
        return _absolute(Config(), Path.cwd())
    model, document = load_yaml(_file_model(), read_text(path), str(path))
    sections: dict[str, Any] = {}
    for section in dataclasses.fields(Config):
        values = getattr(model, section.name).model_dump(exclude_unset=True)
        try:
            sections[section.name] = _build(_section_type(section.name), values)
        except ConfigError as error:
            raise document.error((section.name,), error.message, error.fix) from None
    config = _absolute(Config(**sections), path.resolve().parent)
    if config.transfer.music:
        # Samples are looked at only where there are some: numpy takes long to import.
        from voicegw.runtime.music import read_music

        try:
            read_music(Path(config.transfer.music))
        except ConfigError as error:
            raise document.error(("transfer", "music"), error.message, error.fix) from None
    return config


def _section_type(name: str) -> type[Any]:
    factory = Config.__dataclass_fields__[name].default_factory
    return cast(type[Any], factory)


@cache
def _file_model() -> type[BaseModel]:
    """The file as a pydantic model, made from the dataclasses so that no default is written twice.

    Making it takes a tenth of a second.
    """
    sections: dict[str, Any] = {}
    for section in dataclasses.fields(Config):
        model = _model_of(_section_type(section.name))
        sections[section.name] = (model, Field(default_factory=model))
    return create_model("ConfigFile", __base__=StrictModel, **sections)


def _model_of(kind: type[Any]) -> type[BaseModel]:
    hints = get_type_hints(kind)
    fields: dict[str, Any] = {}
    for item in dataclasses.fields(kind):
        hint, given = hints[item.name], item.default
        if given is dataclasses.MISSING and item.default_factory is not dataclasses.MISSING:
            given = Field(default_factory=item.default_factory)
        if dataclasses.is_dataclass(hint):
            nested = _model_of(cast(type[Any], hint))
            fields[item.name] = (nested, Field(default_factory=nested))
        elif inner := _listed(hint):
            fields[item.name] = (tuple.__class_getitem__((_model_of(inner), ...)), ())
        elif inner := _mapped(hint):
            fields[item.name] = (dict.__class_getitem__((str, _model_of(inner))), Field(default_factory=dict))
        else:
            fields[item.name] = (hint, ... if given is dataclasses.MISSING else given)
    return create_model(kind.__name__, __base__=StrictModel, **fields)


def _listed(hint: Any) -> type[Any] | None:
    """The dataclass in ``tuple[Dataclass, ...]``, else None."""
    inner = get_args(hint)[0] if get_origin(hint) is tuple else None
    return cast(type[Any], inner) if dataclasses.is_dataclass(inner) else None


def _mapped(hint: Any) -> type[Any] | None:
    """The dataclass in ``dict[str, Dataclass]``, else None."""
    inner = get_args(hint)[1] if get_origin(hint) is dict else None
    return cast(type[Any], inner) if dataclasses.is_dataclass(inner) else None


def _build(kind: type[Any], values: Mapping[str, Any]) -> Any:
    """An instance of a configuration dataclass, and of those inside it, from checked values."""
    hints = get_type_hints(kind)
    made: dict[str, Any] = {}
    for name, value in values.items():
        if dataclasses.is_dataclass(hints[name]):
            made[name] = _build(hints[name], value)
        elif inner := _listed(hints[name]):
            made[name] = tuple(_build(inner, one) for one in value)
        elif inner := _mapped(hints[name]):
            made[name] = {key: _build(inner, one) for key, one in value.items()}
        else:
            made[name] = value
    return kind(**made)


def _absolute(config: Config, base: Path) -> Config:
    paths = {
        item.name: str(base / getattr(config.paths, item.name)) if getattr(config.paths, item.name) else ""
        for item in dataclasses.fields(PathsConfig)
    }
    lexicon = str(base / config.speech.lexicon) if config.speech.lexicon else ""
    speech = dataclasses.replace(config.speech, lexicon=lexicon)
    recording = dataclasses.replace(
        config.recording,
        seal_to=tuple(str(base / path) for path in config.recording.seal_to),
        unseal_with=tuple(str(base / path) for path in config.recording.unseal_with),
    )
    music = str(base / config.transfer.music) if config.transfer.music else ""
    transfer = dataclasses.replace(config.transfer, music=music)
    store = dataclasses.replace(
        config.store, url=absolute_url(config.store.url, base), spool=str(base / config.store.spool)
    )
    placed = dataclasses.replace(config, paths=PathsConfig(**paths), store=store, sip=config.sip.placed(base))
    hep = config.observability.hep.placed(base)
    observability = dataclasses.replace(config.observability, hep=hep)
    api = dataclasses.replace(
        config.api,
        key_file=str(base / config.api.key_file),
        tls_cert=str(base / config.api.tls_cert) if config.api.tls_cert else "",
        tls_key=str(base / config.api.tls_key) if config.api.tls_key else "",
    )
    return dataclasses.replace(
        placed, speech=speech, recording=recording, api=api, transfer=transfer, observability=observability
    )
