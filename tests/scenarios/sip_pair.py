"""Two user agents on a lossy link, with what each of them reported."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TypeVar

from voicegw.base.metrics import Counters
from voicegw.sip.address import Address
from voicegw.sip.core import UserAgentConfig
from voicegw.sip.events import SipCallHandle, UserAgentEvent
from voicegw.sip.reply import Pairs
from voicegw.sip.session_timer import SessionTimerPolicy
from voicegw.sip.user_agent import UserAgent
from voicegw.testing.lossy_link import Impairment, LossyLink, unimpaired
from voicegw.testing.manual_clock import ManualClock

ALICE = Address("192.0.2.1", 5060)
BOB = Address("192.0.2.2", 5060)
OFFER = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n"
ANSWER = b"v=0\r\no=- 2 1 IN IP4 192.0.2.2\r\n"

WITHOUT = SessionTimerPolicy(session_expires_s=0)
"""Neither side asks for session timers: what is tested is something else."""

E = TypeVar("E")


class Party:
    """A user agent, its events so far, and what it does at once when one comes."""

    def __init__(self, address: Address, seed: int, sessions: SessionTimerPolicy = WITHOUT) -> None:
        self.address = address
        self.counters = Counters()
        config = UserAgentConfig(local_address=lambda _peer: address, max_calls=50, sessions=sessions)
        self.agent = UserAgent(config, random.Random(seed).randbytes, self.counters)
        self.events: list[UserAgentEvent] = []
        self.react: Callable[[UserAgentEvent], None] = lambda event: None

    def take_events(self) -> None:
        while (event := self.agent.next_event()) is not None:
            self.events.append(event)
            self.react(event)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def one(self, kind: type[E]) -> E:
        (event,) = self.of(kind)
        return event


class Pair:
    """Alice calls, Bob is called."""

    def __init__(
        self,
        impairment: Impairment = unimpaired,
        delay: float = 0.02,
        *,
        alice: SessionTimerPolicy = WITHOUT,
        bob: SessionTimerPolicy = WITHOUT,
    ) -> None:
        self.clock = ManualClock()
        self.link = LossyLink(self.clock, impairment, delay)
        self.alice = Party(ALICE, 1, alice)
        self.bob = Party(BOB, 2, bob)
        self.link.attach(ALICE, self.alice.agent)
        self.link.attach(BOB, self.bob.agent)
        self.link.settle = self._settle

    def _settle(self) -> None:
        self.alice.take_events()
        self.bob.take_events()

    @property
    def now(self) -> float:
        return self.clock.monotonic()

    def run(self, seconds: float) -> None:
        self.link.run(seconds)

    def invite(self, sdp: bytes | None = OFFER, headers: Pairs = ()) -> SipCallHandle:
        sender = '"Alice" <sip:alice@192.0.2.1>'
        return self.alice.agent.invite(f"sip:bob@{BOB}", sender, BOB, sdp, self.now, headers)

    def lines(self, start: str) -> list[str]:
        return [line for line in self.link.first_lines() if line.startswith(start)]

    def assert_all_forgotten(self) -> None:
        """After every timer has run out, nobody remembers anything."""
        self.run(200.0)
        for party in (self.alice, self.bob):
            assert party.agent.active_calls == 0
            assert party.agent.transactions == 0
            assert party.agent.get_timer() is None
            assert not party.agent._core.dialogs
