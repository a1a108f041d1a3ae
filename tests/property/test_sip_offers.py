"""Offers, answers, PRACK, UPDATE, CANCEL and BYE in any order on a bad line: every call ends once, every answer
belongs to an open offer, and nothing is left behind."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scenarios.sip_pair import Pair, Party
from voicegw.base.fsm import IllegalTransition
from voicegw.sip.events import (
    AckReceived,
    Answered,
    CallEnded,
    InviteReceived,
    OfferAnswered,
    OfferReceived,
    ProgressReceived,
    ReinviteAnswered,
    ReinviteReceived,
    SipCallHandle,
    UserAgentEvent,
)
from voicegw.sip.exchange import EXCHANGE, Exchange, ExchangeInput, ExchangeState
from voicegw.sip.reply import Pairs
from voicegw.sip.sip_call import SipCallState
from voicegw.testing.lossy_link import by_pattern

OFFERING, ANSWERING = b"v=0\r\noffer ", b"v=0\r\nanswer "
CALLERS: list[Pairs] = [(), (("Require", "100rel"),)]


def test_every_pair_of_the_exchange_has_a_row_or_is_refused() -> None:
    for state, happened in itertools.product(ExchangeState, ExchangeInput):
        if not EXCHANGE.accepts(state, happened):
            with pytest.raises(IllegalTransition):
                EXCHANGE.next(state, happened)
    assert sum(EXCHANGE.accepts(s, h) for s, h in itertools.product(ExchangeState, ExchangeInput)) == 6


@given(st.lists(st.sampled_from(ExchangeInput)))
def test_an_exchange_never_has_two_offers_open(inputs: list[ExchangeInput]) -> None:
    exchange, offers, closed = Exchange(), 0, 0
    for happened in inputs:
        if not EXCHANGE.accepts(exchange.state, happened):
            continue
        exchange.advance(happened)
        opens = happened in (ExchangeInput.WE_OFFER, ExchangeInput.THEY_OFFER)
        offers, closed = offers + opens, closed + (not opens)
        assert offers - closed == (not exchange.is_idle)


@dataclass
class Side:
    """One party with what it owes, and the offers of its own that have no answer yet."""

    pair: Pair
    party: Party
    numbers: itertools.count[int]
    handle: SipCallHandle | None = None
    owed: list[Callable[[bool], None]] = field(default_factory=list)
    open: set[bytes] = field(default_factory=set)
    first: bytes = b""
    """Our description for the INVITE that came in: our answer, or our offer where it had none."""
    tags: list[str] = field(default_factory=list)
    accepted: bool = False

    def new_offer(self) -> bytes:
        offer = OFFERING + str(next(self.numbers)).encode()
        self.open.add(offer)
        return offer

    def offer_unless(self, sent: Callable[[bytes], bool]) -> None:
        """Make an offer; one that could not be sent was none."""
        offer = self.new_offer()
        if not sent(offer):
            self.open.discard(offer)

    def take(self, event: UserAgentEvent) -> None:
        agent = self.party.agent
        match event:
            case InviteReceived(handle, _, _, body):
                self.handle = handle
                self.first = answer_to(body) if body else self.new_offer()
            case OfferReceived(handle, body):
                self.owe(lambda yes: agent.answer_offer(handle, answer_to(body) if yes else 488, self.pair.now))
            case ReinviteReceived(handle, body):
                self.owe(lambda yes: self.answer_reinvite(handle, body, yes))
            case Answered(handle, body, _, True) | ReinviteAnswered(handle, body, True):
                self.owe(lambda _yes: agent.acknowledge(handle, answer_to(body)))
            case ProgressReceived(handle, _, _, body, tag, wants):
                self.tags = [tag] if tag else []
                if wants:
                    self.owe(lambda _yes: agent.answer_progress(handle, tag, answer_to(body), self.pair.now))
                elif body:
                    assert body.startswith(ANSWERING)
            case (
                Answered(body=body)
                | ReinviteAnswered(body=body)
                | OfferAnswered(body=body)
                | AckReceived(body=body)
            ):
                self.answered(body)
            case _:
                pass

    def owe(self, answer: Callable[[bool], None]) -> None:
        self.owed.append(answer)

    def answered(self, body: bytes) -> None:
        if body:
            offer = OFFERING + body.removeprefix(ANSWERING)
            assert offer in self.open, f"{body!r} answers none of {self.open}"
            self.open.discard(offer)

    def answer_reinvite(self, handle: SipCallHandle, body: bytes, yes: bool) -> None:
        answer: bytes | int = 488
        if yes:
            answer = answer_to(body) if body else self.new_offer()
        self.party.agent.answer_reinvite(handle, answer, self.pair.now)

    # ------------------------------------------------------------ what a script can ask for

    def act(self, action: str) -> None:
        agent, handle, now = self.party.agent, self.handle, self.pair.now
        if handle is None:
            return
        waits = agent.state_of(handle) is SipCallState.INVITED and not self.accepted
        match action:
            case "ring" if waits:
                agent.ring(handle, now)
            case "early" if waits:
                agent.ring(handle, now, 183, self.first)
            case "accept" if waits:
                self.accepted = True
                agent.accept(handle, self.first, now)
            case "reject" if waits:
                agent.reject(handle, 486, now)
            case "update":
                tag = self.tags[0] if self.tags and agent.state_of(handle) is SipCallState.CALLING else ""
                self.offer_unless(lambda offer: agent.update(handle, offer, now, tag))
            case "refresh":
                agent.update(handle, b"", now)
            case "reinvite":
                self.offer_unless(lambda offer: agent.reinvite(handle, offer, now))
            case "ask":
                agent.reinvite(handle, b"", now)
            case "answer" | "refuse" if self.owed:
                self.owed.pop(0)(action == "answer")
            case "leave":
                self.leave()
            case _:
                pass

    def leave(self) -> None:
        agent, handle = self.party.agent, self.handle
        if handle is None:
            return
        if agent.state_of(handle) is SipCallState.INVITED:
            agent.reject(handle, 480, self.pair.now)
        agent.cancel(handle, self.pair.now)
        agent.bye(handle, self.pair.now)


def answer_to(offer: bytes) -> bytes:
    assert offer.startswith(OFFERING), offer
    return ANSWERING + offer.removeprefix(OFFERING)


ACTIONS = ("ring", "early", "accept", "update", "refresh", "reinvite", "ask", "answer", "answer", "refuse")
STEPS = st.tuples(
    st.sampled_from(("alice", "bob", "bob")),
    st.sampled_from((*ACTIONS, *ACTIONS, "reject", "leave")),
    st.sampled_from((0.0, 0.01, 0.05, 0.6, 3.0, 20.0)),
)


@settings(max_examples=120, deadline=None)
@given(
    steps=st.lists(STEPS, max_size=14),
    offers=st.booleans(),
    caller=st.sampled_from(CALLERS),
    line=st.sampled_from((".", ".", "x.", "d.", "r..", "xr.d.x..", ".x")),
)
def test_no_order_of_events_leaves_anything_open(
    steps: list[tuple[str, str, float]], offers: bool, caller: Pairs, line: str
) -> None:
    pair, numbers = Pair(by_pattern(line)), itertools.count(1)
    sides = {"alice": Side(pair, pair.alice, numbers), "bob": Side(pair, pair.bob, numbers)}
    for side in sides.values():
        side.party.react = side.take
    alice, bob = sides["alice"], sides["bob"]
    alice.handle = pair.invite(alice.new_offer() if offers else None, caller)
    pair.run(0.1)
    for who, action, wait in steps:
        sides[who].act(action)
        pair.run(wait)
    for _ in range(6):
        for side in sides.values():
            while side.owed:
                side.act("answer")
        pair.run(8.0)
    for side in sides.values():
        side.leave()
    pair.run(70.0)
    for side in (alice, bob):
        side.leave()
    pair.assert_all_forgotten()
    assert len(pair.alice.of(CallEnded)) == 1
    assert len(pair.bob.of(CallEnded)) == len(pair.bob.of(InviteReceived))
    for side in (alice, bob):
        assert not side.party.events or isinstance(side.party.events[-1], CallEnded), "nothing after the end"
