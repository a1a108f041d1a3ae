"""What the four transaction machines of RFC 3261 §17 have in common: their words and the form of their tables.

Each machine is a literal table ``(state, input) -> (next state, actions)`` in a file of its own, to be read beside
the figure of the RFC it copies. An action is either something to do with a message or a timer to (re)start. A timer
lives exactly as long as its transaction is in a state with a row for it, so nothing is ever stopped by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

from voicegw.base.fsm import TransitionTable
from voicegw.sip.timers import Timer


class State(Enum):
    """States of transactions, over all four machines."""

    __hash__ = (
        object.__hash__
    )  # members are singletons; that of Enum is a function in Python, called for each look-up

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"
    TERMINATED = "terminated"


class Signal(Enum):
    """What happens to a transaction besides timers."""

    __hash__ = object.__hash__

    START = "the first transmission"
    REQUEST = "the request arrived again"
    PROVISIONAL = "1xx: received by a client, sent by a server"
    SUCCESS = "2xx"
    FAILURE = "3xx-6xx"
    ACK = "the ACK arrived"
    TRANSPORT_ERROR = "the transport could not send"


class Action(Enum):
    """What a transition asks for besides timers."""

    SEND = "send the request (client) or the latest response (server), first or again"
    SEND_ACK = "acknowledge a refused INVITE (§17.1.1.3)"
    PASS_UP = "hand the message to the transaction user"
    REPORT_TIMEOUT = "tell the transaction user that the peer is silent"
    REPORT_TRANSPORT_ERROR = "tell the transaction user that nothing could be sent"


Input: TypeAlias = Signal | Timer
Rows: TypeAlias = Mapping[tuple[State, Input], tuple[State, tuple[Action | Timer, ...]]]


class Machine:
    """One machine: its transition table, its actions, and the timers that live in each state."""

    def __init__(self, name: str, initial: State, rows: Rows) -> None:
        self.name = name
        self.initial = initial
        self.table: TransitionTable[State, Input] = TransitionTable(
            name, {pair: state for pair, (state, _) in rows.items()}
        )
        self.actions = {pair: actions for pair, (_, actions) in rows.items()}
        self.timers_of = {
            state: frozenset(i for s, i in rows if s is state and isinstance(i, Timer)) for state in State
        }
        self.inputs = frozenset(i for _, i in rows)
