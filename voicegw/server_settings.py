"""The configuration of a running node: how settings that change while it runs get to what they are settings of.

What is asked anew for each call, request or message is changed for those to come; engines and media workers are
started anew for them. Sockets that listen, the store and what a node is called wait for a restart. Which is which:
:mod:`voicegw.config_classes`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from voicegw.api.config import ApiConfig
from voicegw.base.errors import ConfigError, LocalError, ProviderError
from voicegw.base.log import configure
from voicegw.config import Config
from voicegw.config_changes import changes, covered, mixed
from voicegw.config_classes import Effect, effect_of
from voicegw.gateway.phone_config import PhonesConfig
from voicegw.gateway.sip_files import check_files
from voicegw.gateway.sip_leg import SipGateway
from voicegw.media.pool import MediaPool
from voicegw.recording.seal_keys import KeyRing, SealPublicKey, read_key_ring, read_public_keys
from voicegw.runtime.house_texts import HouseTexts
from voicegw.runtime.node import Node
from voicegw.runtime.services import CallServices, Music
from voicegw.runtime.speech import Speech
from voicegw.server import change_media, limit_gateway, make_music, make_places, make_speech, media_lines
from voicegw.server_llm import LlmParts
from voicegw.storage.sinks import Sinks

log = logging.getLogger(__name__)

T = TypeVar("T")
_Switch: TypeAlias = tuple[tuple[str, ...], Callable[[Config], T]]
_CERTIFICATE: Final = ("api.tls_cert", "api.tls_key")
MODELS: Final = ("llm",)
ENGINES: Final = (
    *("speech", "whisper", "transcription", "piper", "speech_server", "texts"),
    *("paths.cache", "paths.models"),
)
FILES: Final = ("store.files", "store.watch_s", "paths.agents", "paths.dialplan", "paths.trunks")
PLACES: Final = ("paths.recordings", "paths.calls")
CALLS: Final = (
    *("call", "endpointing", "barge_in", "speculation", "transfer", "privacy", "supervision"),
    "recording.format",
)
HOMER: Final = ("observability.hep",)
TRACES: Final = ("observability.otlp", "log.personal_key_env")
MEDIA: Final = (
    *("media", "log", "recording.seal_to", "recording.keep_free_mb", "recording.max_total_mb"),
    *HOMER,
)
WORKERS: Final = tuple(
    f"media.{name}" for name in ("workers", "port_low", "port_high", "max_legs", "g722_compiled")
)
"""What a media worker is made with."""
KEYS: Final = ("recording.unseal_with",)
PLACE: Final = ("cluster", "api.public_url")
ASKED: Final = ("drain", "models")
"""Read when they are needed, from ``current`` or the file: nobody has to be told."""


class LiveSettings:
    """``current`` is what is in force, which is not what the file says where a restart is needed."""

    def __init__(self, config: Config, node: Node) -> None:
        self.current = config
        self._node = node
        self._retiring: set[asyncio.Task[None]] = set()
        self._sealing: Sequence[SealPublicKey] = ()
        self._opening = KeyRing()
        self._music: Music | None = None
        """All read for what is about to be put in force."""
        self.on_api: Callable[[ApiConfig], None] = lambda _config: None
        """Told of other settings of the API."""
        self.check_api: Callable[[ApiConfig], None] = lambda _config: None
        """Asked before; raises ConfigError where they cannot be used."""
        self.on_keys: Callable[[KeyRing], None] = lambda _keys: None
        """Told of other keys that open recordings."""
        self.on_files: Callable[[Config], None] = lambda _config: None
        """Told of other files, of other rules of files and store, and how often to look for edited files."""
        self.on_recordings: Callable[[Path | None], None] = lambda _folder: None
        """Told where calls to come are recorded, if they are."""
        self.on_cluster: Callable[[Config], None] = lambda _config: None
        """Told of other times of the cluster, and of other addresses of this node."""
        self.check_cluster: Callable[[Config], None] = lambda _config: None
        """Asked before; raises ConfigError."""
        self.on_phones: Callable[[PhonesConfig], None] = lambda _config: None
        """Told of other phones, and of other settings of them."""
        # Those that may fail come first, and all but the last one can be taken back.
        self._failing: tuple[_Switch[Awaitable[None]], ...] = (
            (("api",), self._check_api),
            (("sip",), self._check_sip),
            (PLACE, self._check_cluster),
            (PLACES, self._check_places),
            (HOMER, self._homer),
            (TRACES, self._traces),
            (MODELS, self._models),
            (WORKERS, self._media_workers),
            (ENGINES, self._engines),
        )
        self._switches: tuple[_Switch[None], ...] = (
            (("limits",), self._limits),
            (("log",), self._log),
            (MEDIA, self._media),
            (CALLS, self._calls),
            (("sip",), self._sip),
            (("phones",), self._phones),
            (("tolls",), self._tolls),
            (("audiosocket",), self._audiosocket),
            (("store",), self._store),
            (FILES, lambda config: self.on_files(config)),
            (PLACES, self._places),
            (KEYS, lambda _config: self.on_keys(self._opening)),
            (("observability.capture",), self._captures),
            (("api",), lambda config: self.on_api(config.api)),
            (PLACE, lambda config: self.on_cluster(config)),
        )

    @property
    def told(self) -> tuple[str, ...]:
        """The names of what somebody is told of when it changes."""
        return tuple(name for names, _ in (*self._failing, *self._switches) for name in names)

    def split(self, new: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What of ``new`` differs from what is in force: what can be changed now, and what needs a restart."""
        differing = changes(self.current, new)
        waiting = [name for name in differing if effect_of(name) is Effect.RESTART]
        if bool(self.current.api.tls_cert) != bool(
            new.api.tls_cert
        ):  # another file is one thing, a start of TLS another
            waiting += [name for name in differing if name in _CERTIFICATE]
        return tuple(name for name in differing if name not in waiting), tuple(waiting)

    def plan(self, new: Config) -> Config:
        """What would be in force; raises ConfigError where old and new settings do not go together."""
        return mixed(self.current, new, self.split(new)[0])

    async def apply(self, planned: Config) -> None:
        """Put it in force. Raises ConfigError, with everything as it was, where a file cannot be read or an engine
        does not start."""
        differing = changes(self.current, planned)
        self._sealing = read_public_keys(planned.recording.seal_to)
        if _concerns(KEYS, differing):
            self._opening = read_key_ring(planned.recording.unseal_with)
        music = make_music(planned.transfer.music) if _concerns(CALLS, differing) else None
        async with AsyncExitStack() as undone:
            undone.push_async_callback(self._take_back)
            for names, begin in self._failing:
                if _concerns(names, differing):
                    await begin(planned)
            undone.pop_all()
        self.current, self._music = planned, music
        for names, change in self._switches:
            if _concerns(names, differing):
                change(planned)

    async def _take_back(self) -> None:
        """As it was, whatever it is that has failed."""
        await self._homer(self.current)
        await self._traces(self.current)
        await self._models(self.current)
        await self._pool.forget()

    async def close(self) -> None:
        """Close the engines of calls that have not ended."""
        for task in self._retiring:
            task.cancel()
        if self._retiring:
            await asyncio.wait(self._retiring)

    # ------------------------------------------------------------ one kind each

    @property
    def _gateway(self) -> SipGateway:
        assert isinstance(self._node.gateway, SipGateway)
        return self._node.gateway

    @property
    def _pool(self) -> MediaPool:
        assert isinstance(self._node.media, MediaPool)
        return self._node.media

    def _limits(self, config: Config) -> None:
        self._node.manager.max_calls = config.limits.max_calls
        limit_gateway(self._gateway, config.limits)

    def _log(self, config: Config) -> None:
        view, is_json = config.log.view(os.environ), config.log.format == "json"
        configure(config.log.level, json_lines=is_json, view=view)

    async def _check_api(self, config: Config) -> None:
        self.check_api(config.api)

    async def _check_cluster(self, config: Config) -> None:
        self.check_cluster(config)

    async def _check_places(self, config: Config) -> None:
        await asyncio.to_thread(make_places, config)

    async def _check_sip(self, config: Config) -> None:
        await asyncio.to_thread(check_files, config.sip)

    async def _homer(self, config: Config) -> None:
        if self._node.homer is None:
            return
        try:
            await self._node.homer.use(config.observability.hep)
        except LocalError as error:
            raise ConfigError(f"observability.hep: {error}", fix="see voicegw check") from None

    async def _traces(self, config: Config) -> None:
        if self._node.traces is not None:
            await self._node.traces.use(config.observability.otlp, config.log.key(os.environ))

    async def _models(self, config: Config) -> None:
        assert isinstance(self._node.models, LlmParts)
        await self._node.models.change(config.llm)

    async def _media_workers(self, config: Config) -> None:
        try:
            await self._pool.prepare(media_lines(config, self._sealing))
        except LocalError as error:
            raise ConfigError(f"the media workers do not start: {error}", fix="see voicegw doctor") from None

    async def _engines(self, config: Config) -> None:
        """New ones for new calls; the old ones end with the last call that began with them."""
        new, old = make_speech(config, self._node.counters), self._node.speech
        async with AsyncExitStack() as undone:
            undone.push_async_callback(new.close)  # of one that fails, whatever way, the others run already
            try:
                await new.start()
            except ProviderError as error:
                raise ConfigError(f"the speech engines do not start: {error}", fix="see voicegw doctor") from None
            undone.pop_all()
        self._node.speech = new
        texts = HouseTexts(config.texts)
        self._node.manager.change(lambda known: replace(known, speaker=new, asr=new.asr, eot=new.eot, texts=texts))
        task = asyncio.create_task(self._retire(old), name="old engines")
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _retire(self, speech: Speech) -> None:
        try:
            await self._node.manager.wait_for_these()
        finally:
            await speech.close()

    def _calls(self, config: Config) -> None:
        def change(known: CallServices) -> CallServices:
            return replace(
                known,
                call_config=config.call,
                turn_config=config.turn,
                transfers=config.transfer,
                music=self._music,
                redactor=config.privacy.redactor,
                supervision=config.supervision,
                recording_format=config.recording.format,
            )

        self._node.manager.change(change)

    def _sip(self, config: Config) -> None:
        self._gateway.use(config.sip)

    def _phones(self, config: Config) -> None:
        self._gateway.use_phones(config.phones)
        self.on_phones(config.phones)

    def _tolls(self, config: Config) -> None:
        self._gateway.trunks.tolls.use(config.tolls)

    def _audiosocket(self, config: Config) -> None:
        if self._node.audiosocket is not None:
            self._node.audiosocket.use(config.audiosocket)

    def _media(self, config: Config) -> None:
        self._pool.renew(config.media.draining_s)
        change_media(self._pool, config, self._sealing)

    def _store(self, config: Config) -> None:
        assert isinstance(self._node.call_log, Sinks)
        self._node.call_log.use(config.store)

    def _places(self, config: Config) -> None:
        recordings, logs = config.paths.recordings_folder, config.paths.calls_folder
        assert isinstance(self._node.call_log, Sinks) and self._node.files is not None
        self._node.manager.change(lambda known: replace(known, recordings=recordings))
        self._node.call_log.move(logs)
        self._node.files.move(recordings, logs)
        self.on_recordings(recordings)

    def _captures(self, config: Config) -> None:
        self._node.manager.captures.config = config.observability.capture


def _concerns(names: Iterable[str], differing: Iterable[str]) -> bool:
    return any(covered(name, names) for name in differing)
