"""The transaction machines, the dialog and the SIP call: every pair of state and input, and random walks."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.base.errors import VoicegwError
from voicegw.base.fsm import IllegalTransition, TransitionTable
from voicegw.base.metrics import Counters
from voicegw.sip.address import Address
from voicegw.sip.core import UserAgentConfig
from voicegw.sip.dialog import DIALOG, DialogInput, DialogState
from voicegw.sip.events import CallEnded, InviteReceived, SipCallHandle
from voicegw.sip.invite_client import INVITE_CLIENT
from voicegw.sip.invite_server import INVITE_SERVER
from voicegw.sip.machine import Action, Machine, Signal, State
from voicegw.sip.non_invite_client import NON_INVITE_CLIENT
from voicegw.sip.non_invite_server import NON_INVITE_SERVER
from voicegw.sip.sip_call import SIP_CALL, SipCallInput, SipCallState
from voicegw.sip.timers import Timer
from voicegw.sip.user_agent import UserAgent
from voicegw.testing.lossy_link import LossyLink, by_pattern
from voicegw.testing.manual_clock import ManualClock

MACHINES = [INVITE_CLIENT, NON_INVITE_CLIENT, INVITE_SERVER, NON_INVITE_SERVER]
FROM_THE_NETWORK = {
    "INVITE client": {Signal.PROVISIONAL, Signal.SUCCESS, Signal.FAILURE, Signal.TRANSPORT_ERROR},
    "non-INVITE client": {Signal.PROVISIONAL, Signal.SUCCESS, Signal.FAILURE, Signal.TRANSPORT_ERROR},
    "INVITE server": {Signal.REQUEST, Signal.TRANSPORT_ERROR},
    "non-INVITE server": {Signal.REQUEST, Signal.TRANSPORT_ERROR},
}


def live_states(machine: Machine) -> set[State]:
    return {state for state, _ in machine.table.rows}


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.name)
def test_every_pair_has_a_row_or_is_refused(machine: Machine) -> None:
    for state, happened in itertools.product(State, [*Signal, *Timer]):
        if machine.table.accepts(state, happened):
            assert machine.table.next(state, happened) in live_states(machine) | {State.TERMINATED}
            assert (state, happened) in machine.actions
        else:
            with pytest.raises(IllegalTransition):
                machine.table.next(state, happened)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.name)
def test_nothing_that_the_network_does_is_without_a_row(machine: Machine) -> None:
    for state, signal in itertools.product(live_states(machine), FROM_THE_NETWORK[machine.name]):
        assert machine.table.accepts(state, signal), (state, signal)
    if machine is INVITE_SERVER:
        assert all(machine.table.accepts(s, Signal.ACK) for s in live_states(machine) - {State.COMPLETED}) is True


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.name)
def test_every_state_is_reached_and_left(machine: Machine) -> None:
    reached, frontier = {machine.initial}, [machine.initial]
    while frontier:
        state = frontier.pop()
        for (before, _), after in machine.table.rows.items():
            if before is state and after not in reached:
                reached.add(after)
                frontier.append(after)
    assert reached == live_states(machine) | {State.TERMINATED}
    for state in live_states(machine):
        assert any(after is not state for (before, _), after in machine.table.rows.items() if before is state)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.name)
def test_a_timer_is_started_only_where_it_can_fire_and_every_timer_of_a_state_is_started(machine: Machine) -> None:
    started: set[tuple[State, Timer]] = set()
    for pair, actions in machine.actions.items():
        after = machine.table.rows[pair]
        for action in actions:
            if isinstance(action, Timer):
                assert action in machine.timers_of[after], (pair, action)
                started.add((after, action))
    for state, timers in machine.timers_of.items():
        for timer in timers:
            inherited = any(
                timer in machine.timers_of[before] and after is state
                for (before, _), after in machine.table.rows.items()
                if before is not state
            )
            assert (state, timer) in started or inherited, (state, timer)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.name)
def test_a_transaction_with_a_final_response_cannot_live_for_ever(machine: Machine) -> None:
    for state in live_states(machine) & {State.COMPLETED, State.CONFIRMED, State.ACCEPTED}:
        ends = [t for t in machine.timers_of[state] if machine.table.next(state, t) is State.TERMINATED]
        assert len(ends) == 1, state


def test_no_response_is_passed_up_twice_after_a_final_one() -> None:
    for machine in (INVITE_CLIENT, NON_INVITE_CLIENT):
        for (state, happened), actions in machine.actions.items():
            if state is State.COMPLETED and isinstance(happened, Signal):
                assert Action.PASS_UP not in actions


@pytest.mark.parametrize(
    ("table", "states", "inputs", "last"),
    [
        (DIALOG, DialogState, DialogInput, DialogState.TERMINATED),
        (SIP_CALL, SipCallState, SipCallInput, SipCallState.ENDED),
    ],
    ids=["dialog", "SIP call"],
)
def test_dialog_and_call_tables(table: TransitionTable, states: type, inputs: type, last: object) -> None:
    for state, happened in itertools.product(states, inputs):
        if not table.accepts(state, happened):
            with pytest.raises(IllegalTransition):
                table.next(state, happened)
    assert not any(state is last for state, _ in table.rows)
    assert {happened for _, happened in table.rows} == set(inputs)
    for state in set(states) - {last}:
        assert any(after is last for (before, _), after in table.rows.items() if before is state), state


# ---------------------------------------------------------------- random lives of two user agents

SIDES = [Address("192.0.2.1", 5060), Address("192.0.2.2", 5060)]
COMMANDS = ["ring", "accept", "reject", "bye", "cancel", "reinvite", "answer", "refuse", "invite", "drain"]
SDP = b"v=0\r\n"


class Life:
    """Two agents; commands fall on any call at any time, in any state."""

    def __init__(self, pattern: str) -> None:
        self.clock = ManualClock()
        self.link = LossyLink(self.clock, by_pattern(pattern))
        self.link.settle = self.settle
        self.agents = [self._agent(address, seed) for seed, address in enumerate(SIDES)]
        self.handles: list[tuple[int, SipCallHandle]] = []
        self.ended: list[tuple[int, SipCallHandle]] = []

    def _agent(self, address: Address, seed: int) -> UserAgent:
        config = UserAgentConfig(local_address=lambda _peer: address)
        agent = UserAgent(config, random.Random(seed).randbytes, Counters())
        self.link.attach(address, agent)
        return agent

    def settle(self) -> None:
        for side, agent in enumerate(self.agents):
            while (event := agent.next_event()) is not None:
                if isinstance(event, InviteReceived):
                    self.handles.append((side, event.handle))
                elif isinstance(event, CallEnded):
                    self.ended.append((side, event.handle))

    def command(self, name: str, which: int) -> None:
        now = self.clock.monotonic()
        if name == "invite":
            side = which % 2
            there = SIDES[1 - side]
            handle = self.agents[side].invite(f"sip:x@{there}", "sip:me@here", there, SDP, now)
            self.handles.append((side, handle))
        elif name == "drain" or not self.handles:
            return
        else:
            side, handle = self.handles[which % len(self.handles)]
            self._command_call(self.agents[side], name, handle, now)

    def _command_call(self, agent: UserAgent, name: str, handle: SipCallHandle, now: float) -> None:
        match name:
            case "ring":
                agent.ring(handle, now)
            case "accept":
                agent.accept(handle, SDP, now)
            case "reject":
                agent.reject(handle, 486, now)
            case "bye":
                agent.bye(handle, now)
            case "cancel":
                agent.cancel(handle, now)
            case "reinvite":
                agent.reinvite(handle, SDP, now)
            case "answer":
                agent.answer_reinvite(handle, SDP, now)
            case "refuse":
                agent.answer_reinvite(handle, 488, now)


@given(
    pattern=st.text(alphabet=".xdr", min_size=1, max_size=6).filter(lambda p: "x" * len(p) != p),
    steps=st.lists(
        st.tuples(st.sampled_from(COMMANDS), st.integers(0, 5), st.sampled_from([0.0, 0.01, 0.03, 0.6, 5.0])),
        max_size=25,
    ),
)
@settings(max_examples=60, deadline=None)
def test_any_life_ends_each_call_exactly_once_and_leaves_nothing(
    pattern: str, steps: list[tuple[str, int, float]]
) -> None:
    life = Life(pattern)
    life.command("invite", 0)
    for name, which, pause in steps:
        try:
            life.command(name, which)
        except VoicegwError:
            continue  # a command that its state forbids is refused, and breaks nothing
        finally:
            life.link.run(pause)
    for (side, handle), _ in itertools.product(list(life.handles), range(2)):
        agent, now = life.agents[side], life.clock.monotonic()
        match agent.state_of(handle):
            case SipCallState.INVITED:
                agent.reject(handle, 480, now)
            case SipCallState.CALLING:
                agent.cancel(handle, now)
            case SipCallState.ANSWERED | SipCallState.CONFIRMED:
                agent.bye(handle, now)
        life.link.run(1.0)
    life.link.run(300.0)
    life.settle()
    late = [h for h in life.handles if h not in life.ended]
    for side, handle in late:  # an INVITE that arrived after the last command
        life.agents[side].reject(handle, 480, life.clock.monotonic())
    life.link.run(300.0)
    life.settle()
    assert sorted(life.ended) == sorted(life.handles)
    for agent in life.agents:
        assert agent.active_calls == 0
        assert agent.transactions == 0
        assert agent.get_timer() is None
        assert not agent._core.dialogs
