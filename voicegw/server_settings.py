"""The configuration of a running node: which settings change while it runs, and how each of them gets there.

Sockets, processes and files that are open stay as they are until a restart; everything that is asked anew for each
call, each request or each message is changed for those to come. Running calls keep what they began with.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from voicegw.base.errors import ConfigError, ProviderError
from voicegw.base.log import set_level
from voicegw.config import Config
from voicegw.config_changes import changes, covered, mixed
from voicegw.gateway.sip_leg import SipGateway
from voicegw.runtime.house_texts import HouseTexts
from voicegw.runtime.node import Node
from voicegw.runtime.services import CallServices
from voicegw.runtime.speech import Speech
from voicegw.server import limit_gateway, make_music, make_speech
from voicegw.server_llm import LlmParts

log = logging.getLogger(__name__)

CALLS: Final = ("call", "endpointing", "barge_in", "speculation", "transfer", "privacy")
ENGINES: Final = ("speech", "whisper", "transcription", "piper", "speech_server", "texts")
SIP: Final = tuple(
    f"sip.{name}"
    for name in (
        *("max_calls", "retry_after_s", "accept_messages", "guard.trusted", "guard.ban_s", "guard.scanners"),
        *("guard.refusals", "guard.refusal_forgotten_s", "guard.flood_messages", "guard.acquainted_s"),
        *("codecs", "dtmf", "srtp", "srtp_in_clear", "srtp_suites", "identity"),
    )
)


class LiveSettings:
    """``current`` is what is in force, which is not what the file says where a restart is needed."""

    def __init__(self, config: Config, node: Node) -> None:
        self.current = config
        self._node = node
        self._retiring: set[asyncio.Task[None]] = set()
        # Those that may fail come first, and the first one can be taken back.
        self._switches: tuple[tuple[tuple[str, ...], Callable[[Config], Awaitable[None]]], ...] = (
            (("llm",), self._models),
            (ENGINES, self._engines),
            (("limits", "drain"), self._limits),
            (("log.level",), self._log),
            (CALLS, self._calls),
            (SIP, self._sip),
            (("tolls",), self._tolls),
        )

    def split(self, new: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What of ``new`` differs from what is in force: what can be changed now, and what needs a restart."""
        differing = changes(self.current, new)
        live = tuple(name for name in differing if any(covered(name, names) for names, _ in self._switches))
        return live, tuple(name for name in differing if name not in live)

    def plan(self, new: Config) -> Config:
        """What would be in force; raises ConfigError where old and new settings do not go together."""
        return mixed(self.current, new, self.split(new)[0])

    async def apply(self, planned: Config) -> None:
        """Put it in force. Raises ConfigError, with everything as it was, where an engine does not start."""
        differing = changes(self.current, planned)
        try:
            for names, switch in self._switches:
                if any(covered(name, names) for name in differing):
                    await switch(planned)
        except ConfigError:
            await self._models(self.current)
            raise
        self.current = planned

    async def close(self) -> None:
        """Close the engines of calls that have not ended."""
        for task in self._retiring:
            task.cancel()
        if self._retiring:
            await asyncio.wait(self._retiring)

    # ------------------------------------------------------------ one kind each

    async def _limits(self, config: Config) -> None:
        assert isinstance(self._node.gateway, SipGateway)
        self._node.manager.max_calls = config.limits.max_calls
        limit_gateway(self._node.gateway, config.limits)

    async def _log(self, config: Config) -> None:
        set_level(config.log.level)

    async def _models(self, config: Config) -> None:
        assert isinstance(self._node.models, LlmParts)
        await self._node.models.change(config.llm)

    async def _engines(self, config: Config) -> None:
        """New ones for new calls; the old ones end with the last call that began with them."""
        new, old = make_speech(config, self._node.counters), self._node.speech
        try:
            await new.start()
        except ProviderError as error:
            await new.close()
            raise ConfigError(f"the speech engines do not start: {error}", fix="see voicegw doctor") from None
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

    async def _calls(self, config: Config) -> None:
        music = make_music(config.transfer.music)

        def change(known: CallServices) -> CallServices:
            return replace(
                known,
                call_config=config.call,
                turn_config=config.turn,
                transfers=config.transfer,
                music=music,
                redactor=config.privacy.redactor,
            )

        self._node.manager.change(change)

    async def _tolls(self, config: Config) -> None:
        assert isinstance(self._node.gateway, SipGateway)
        self._node.gateway.trunks.tolls.use(config.tolls)

    async def _sip(self, config: Config) -> None:
        assert isinstance(self._node.gateway, SipGateway)
        self._node.gateway.use(config.sip)
