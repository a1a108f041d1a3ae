"""Transfers and supervisors in whatever order things happen: nobody is lost, left in silence or left behind."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.base.causes import HangupCause
from voicegw.base.fsm import IllegalTransition
from voicegw.base.ids import LegId
from voicegw.call import commands as c
from voicegw.call import events as e
from voicegw.call import facts as f
from voicegw.call.call_config import CallConfig
from voicegw.call.edges import AGENT
from voicegw.call.machine import CallMachine
from voicegw.call.states import CallState, Control
from voicegw.call.supervision import SupervisorInput
from voicegw.call.transfer import TRANSFER, TransferConfig, TransferInput, TransferState
from voicegw.call.transfer_request import TransferKind, TransferRequest

CALLER, TARGET, BOSS = LegId("caller"), LegId("target"), LegId("boss")
_GONE = [HangupCause.CALLER_HANGUP, HangupCause.PEER_REJECTED, HangupCause.NO_ANSWER]


@pytest.mark.parametrize(("state", "happened"), list(product(TransferState, TransferInput)))
def test_every_pair_has_a_row_or_is_refused(state: TransferState, happened: TransferInput) -> None:
    if TRANSFER.accepts(state, happened):
        assert TRANSFER.next(state, happened) in TransferState
    else:
        with pytest.raises(IllegalTransition):
            TRANSFER.next(state, happened)


@pytest.mark.parametrize("state", list(TransferState))
def test_no_state_is_a_trap(state: TransferState) -> None:
    """From wherever the caller waits, time alone leads out, and the caller may always leave."""
    waiting = state in (
        TransferState.REFERRING,
        TransferState.DIALLING,
        TransferState.BRIEFING,
        TransferState.LEAVING,
        TransferState.LEFT,
    )
    assert TRANSFER.accepts(state, TransferInput.TIMED_OUT) is waiting
    ended = state in (TransferState.FAILED, TransferState.OVER)
    assert TRANSFER.accepts(state, TransferInput.CALLER_GONE) is not ended


def requests(kind: TransferKind, can_refer: bool, leave: bool) -> e.TransferRequested:
    request = TransferRequest(kind, "desk", "sip:desk@192.0.2.7", TARGET, can_refer=can_refer, leave=leave)
    return e.TransferRequested(request)


_EVENTS = st.one_of(
    st.builds(requests, st.sampled_from(list(TransferKind)), st.booleans(), st.booleans()),
    st.sampled_from([e.MediaOpened(TARGET), e.MediaRefused(TARGET), e.MediaOpened(BOSS), e.MediaRefused(BOSS)]),
    st.builds(e.SessionAgreed, st.sampled_from([CALLER, TARGET, BOSS]), st.booleans()),
    st.sampled_from(
        [e.LegRinging(TARGET, 180), e.LegRedialled(TARGET), e.LegConfirmed(BOSS), e.TransferAbandoned()]
    ),
    st.builds(e.ReferAnswered, st.just(CALLER), st.sampled_from([202, 405, 603])),
    st.builds(e.ReferProgressed, st.just(CALLER), st.sampled_from([0, 100, 200, 486]), st.booleans()),
    st.sampled_from([e.BriefingFinished(TARGET), e.KeyPressed(TARGET, "1"), e.KeyPressed(TARGET, "2")]),
    st.sampled_from([e.SupervisorOffered(BOSS, "boss"), e.SupervisorOffered(BOSS, "boss", "sip:boss@192.0.2.8")]),
    st.builds(e.SupervisorChose, st.just(BOSS), st.sampled_from(list(SupervisorInput))),
    st.builds(e.LegEnded, st.sampled_from([TARGET, BOSS]), st.sampled_from(_GONE), st.sampled_from([0, 486])),
    st.sampled_from([e.MediaSilent(TARGET, 40_000), e.MediaSilent(BOSS, 40_000), e.MediaLost()]),
    st.sampled_from([e.ShutdownRequested(), e.AgentFinished(HangupCause.AGENT_HANGUP)]),
)


class World:
    """The call machine with surroundings that keep their promises: no event of a leg that is not there."""

    def __init__(self) -> None:
        self.call = CallMachine(CallConfig(), TransferConfig())
        self.commands: list[c.CallCommand] = []
        self.edges: set[tuple[str, str]] = set()
        self.now = 0.0
        self.signalled: set[LegId] = {CALLER}
        self.opening: set[LegId] = set()
        self.absent: set[c.Absence] = set()

    def start(self) -> None:
        for event in (
            e.CallOffered(CALLER),
            e.RouteChosen("demo"),
            e.MediaOpened(CALLER),
            e.SessionAgreed(CALLER, held=False),
            e.LegConfirmed(CALLER),
        ):
            self.tell(event)
        self.opening.clear()

    def tell(self, event: e.CallEvent) -> None:
        self.take(self.call.handle(event, self.now))

    def take(self, commands: list[c.CallCommand]) -> None:
        for command in commands:
            match command:
                case c.ChangeMix(edges):
                    self.edges = {(source, sink) for source, sink, _ in edges}
                case c.DialTarget() | c.DialLeg() | c.OpenMedia():
                    self.opening.add(
                        command.request.leg_id if isinstance(command, c.DialTarget) else command.leg_id
                    )
                case c.InviteTarget(request):
                    self.signalled.add(request.leg_id)
                case c.InviteLeg(leg_id, _):
                    self.signalled.add(leg_id)
                case c.SuspendAgent(absence):
                    self.absent.add(absence)
                case c.ResumeAgent(absence):
                    self.absent.discard(absence)
                case _:
                    pass
        self.commands += commands

    def may_happen(self, event: e.CallEvent) -> bool:
        leg_id = getattr(event, "leg_id", None)
        if isinstance(event, e.TransferRequested):
            return TARGET not in self.call.legs
        if isinstance(event, e.SupervisorOffered):
            if BOSS in self.call.legs:
                return False
            self.signalled |= set() if event.uri else {BOSS}
            return True
        if isinstance(event, e.MediaOpened | e.MediaRefused):
            known = leg_id in self.opening
            self.opening.discard(event.leg_id)
            return known
        return leg_id is None or (leg_id in self.call.legs and leg_id in self.signalled)

    def check(self) -> None:
        """What is true at every moment."""
        caller = self.call.legs[CALLER]
        if caller.answered and self.call.state is CallState.ACTIVE:
            heard = {source for source, sink in self.edges if sink == CALLER}
            assert heard, "a caller who can hear nobody"
            assert (AGENT in heard) is (self.call.control is Control.AGENT)
            assert bool(self.absent) is (self.call.control is not Control.AGENT), (
                "the agent knows whose caller it is"
            )


@settings(max_examples=250, deadline=None)
@given(st.lists(st.tuples(_EVENTS, st.sampled_from([0.0, 0.1, 5.0, 31.0])), max_size=14))
def test_nobody_is_lost_whatever_happens(story: list[tuple[e.CallEvent, float]]) -> None:
    world = World()
    world.start()
    for event, seconds in story:
        world.now += seconds
        world.take(world.call.handle_timer(world.now))
        world.check()
        if world.may_happen(event):
            world.tell(event)
            world.check()
    for leg_id in (CALLER, *world.signalled):
        if leg_id in world.call.legs:
            world.tell(e.LegEnded(leg_id, HangupCause.CALLER_HANGUP))
    for leg_id in tuple(world.opening):
        world.tell(e.MediaOpened(leg_id))
    kinds = [type(command) for command in world.commands]
    assert world.call.state is CallState.ENDED
    assert kinds.count(c.FinishCall) == 1
    for leg_id in world.call.legs:
        assert world.commands.count(c.CloseMedia(leg_id)) <= 1
    begun = [command for command in world.commands if isinstance(command, c.RecordFact)]
    ends = f.CallerWasConnected | f.CallerWasMoved | f.TransferHasFailed
    transfers = sum(isinstance(command.fact, f.TransferHasBegun) for command in begun)
    assert sum(isinstance(command.fact, ends) for command in begun) >= transfers, "the record says how it ended"
