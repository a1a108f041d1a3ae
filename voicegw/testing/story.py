"""One whole call between a synthetic caller and a node on this machine, and the judgement whether it happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from voicegw.base.ids import CallId
from voicegw.call.facts import Entry
from voicegw.call.record import CallRecord, fold
from voicegw.config import Config
from voicegw.gateway.config import SipConfig
from voicegw.inference.registry import make_tts
from voicegw.inference.settings import EngineSettings
from voicegw.media import messages as m
from voicegw.media.config import MediaConfig
from voicegw.runtime.node import Node
from voicegw.server import build
from voicegw.sip.address import Address
from voicegw.storage.config import StoreConfig
from voicegw.storage.event_log import read_log
from voicegw.testing.softphone import Softphone
from voicegw.testing.synthetic_caller import CallerLine, CallerVoice, SpokenLine, converse
from voicegw.testing.word_errors import word_error_rate

SERVER_MEDIA = MediaConfig(port_low=20000, port_high=20999)
PHONE_MEDIA = MediaConfig(port_low=21000, port_high=21999)


@dataclass(frozen=True, slots=True)
class Story:
    """What the caller says to whom, and what must have been understood in the end."""

    called: str
    lines: tuple[CallerLine, ...]
    slots: dict[str, str] = field(default_factory=dict)
    voice: str = "rms"
    rate: float = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. ``spoken`` has the times as the caller's side saw them."""

    spoken: list[SpokenLine]
    record: CallRecord
    entries: list[Entry]
    speech: list[m.SpeechStarted | m.SpeechStopped]
    """The agent's speech as the caller's side heard it."""

    def texts(self) -> list[tuple[str, str]]:
        """(said, understood) for each turn that reached the agent."""
        said = [line.line.text for line in self.spoken if line.line.text]
        understood = [turn.text for turn in self.record.caller_turns]
        return list(zip(said, understood, strict=False))

    def word_errors(self) -> float:
        """Word error rate over all turns, 0 to 1 and more."""
        said = " ".join(line.line.text for line in self.spoken)
        return word_error_rate(said, " ".join(turn.text for turn in self.record.caller_turns))

    def missing(self, story: Story) -> list[str]:
        """Everything that did not happen as the story has it; empty if it did."""
        problems: list[str] = []
        if len(self.spoken) < len(story.lines):
            problems.append(f"the caller got to say {len(self.spoken)} of {len(story.lines)} lines")
        if len(self.record.caller_turns) < len(story.lines):
            problems.append(f"the agent heard {len(self.record.caller_turns)} of {len(story.lines)} turns")
        for name, value in story.slots.items():
            if self.record.slots.get(name) != value:
                problems.append(f"{name} was understood as {self.record.slots.get(name)!r}, not {value!r}")
        wanted = sum(1 for line in story.lines if line.interrupt_after_s)
        if len(self.record.barge_ins) < wanted:
            problems.append(f"{len(self.record.barge_ins)} of {wanted} interruptions stopped the agent")
        ended = self.record.ended
        if ended is None or ended.cause != "agent_hangup":
            problems.append(f"the call ended by {ended.cause if ended else 'nobody'}, not by the agent's goodbye")
        return problems


def local_config(config: Config, home: Path) -> Config:
    """``config`` on loopback, on a free SIP port, with everything it writes under ``home``."""
    paths = replace(config.paths, calls=str(home / "calls"), recordings=str(home / "recordings"))
    store = StoreConfig(f"sqlite:///{home}/store.sqlite", spool=str(home / "spool"))
    return replace(config, sip=SipConfig("127.0.0.1", 0), media=SERVER_MEDIA, paths=paths, store=store)


class Stage:
    """A node and a softphone on this machine, both real and in their own processes' media."""

    def __init__(
        self, config: Config, home: Path, on_fact: Callable[[CallId, Entry], None] = lambda _call, _entry: None
    ) -> None:
        self.node: Node = build(local_config(config, home), on_fact)
        self.phone = Softphone(SipConfig("127.0.0.1", 0), PHONE_MEDIA)
        self.calls = home / "calls"
        self._tts = make_tts("flite", EngineSettings(1, Path(config.paths.cache)))
        self._ended: asyncio.Queue[CallId] = asyncio.Queue()
        self.node.manager.on_call_ended = self._ended.put_nowait

    async def __aenter__(self) -> Stage:
        await self._tts.start()
        await self.node.start()
        await self.phone.start()
        return self

    async def __aexit__(self, *_details: object) -> None:
        await self.phone.close()
        await self.node.close()
        await self._tts.close()

    @property
    def address(self) -> Address:
        """Where the node answers."""
        address = self.node.address
        assert isinstance(address, Address)
        return address

    def voice(self, name: str, rate: float = 1.0) -> CallerVoice:
        """A caller's voice."""
        return CallerVoice(self._tts, name, rate)

    async def play(self, story: Story) -> Outcome:
        """Make the call and wait for its record."""
        address = self.address
        call = await self.phone.dial(f"sip:{story.called}@{address.host}:{address.port}")
        lines: Sequence[CallerLine] = story.lines
        spoken = await converse(call, self.voice(story.voice, story.rate), lines)
        if not call.over:
            try:
                await call.wait_ended(30.0)
            finally:
                if not call.over:
                    await call.hang_up()
        call_id = await asyncio.wait_for(self._ended.get(), 10.0)
        self.phone.forget(call)
        self.node.flush_log()
        entries = list(read_log(self.calls / f"{call_id}.jsonl"))
        return Outcome(spoken, fold(entries), entries, call.speech)
