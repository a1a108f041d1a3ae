"""INVITE client transaction: RFC 3261 §17.1.1 and figure 5, with the Accepted state of RFC 6026 §8.4."""

from __future__ import annotations

from voicegw.sip.machine import Action, Machine, Signal, State
from voicegw.sip.timers import Timer

INVITE_CLIENT = Machine(
    "INVITE client",
    State.CALLING,
    {
        (State.CALLING, Signal.START): (State.CALLING, (Action.SEND, Timer.A, Timer.B)),
        (State.CALLING, Timer.A): (State.CALLING, (Action.SEND, Timer.A)),
        (State.CALLING, Timer.B): (State.TERMINATED, (Action.REPORT_TIMEOUT,)),
        (State.CALLING, Signal.PROVISIONAL): (State.PROCEEDING, (Action.PASS_UP,)),
        (State.CALLING, Signal.SUCCESS): (State.ACCEPTED, (Timer.M, Action.PASS_UP)),
        (State.CALLING, Signal.FAILURE): (State.COMPLETED, (Action.SEND_ACK, Timer.D, Action.PASS_UP)),
        (State.CALLING, Signal.TRANSPORT_ERROR): (State.TERMINATED, (Action.REPORT_TRANSPORT_ERROR,)),
        (State.PROCEEDING, Signal.PROVISIONAL): (State.PROCEEDING, (Action.PASS_UP,)),
        (State.PROCEEDING, Signal.SUCCESS): (State.ACCEPTED, (Timer.M, Action.PASS_UP)),
        (State.PROCEEDING, Signal.FAILURE): (State.COMPLETED, (Action.SEND_ACK, Timer.D, Action.PASS_UP)),
        # Nothing is sent while proceeding, so the error is that of an earlier retransmission: the peer did answer.
        (State.PROCEEDING, Signal.TRANSPORT_ERROR): (State.PROCEEDING, ()),
        (State.COMPLETED, Signal.PROVISIONAL): (State.COMPLETED, ()),
        (State.COMPLETED, Signal.SUCCESS): (State.COMPLETED, ()),
        (State.COMPLETED, Signal.FAILURE): (State.COMPLETED, (Action.SEND_ACK,)),
        (State.COMPLETED, Timer.D): (State.TERMINATED, ()),
        (State.COMPLETED, Signal.TRANSPORT_ERROR): (State.TERMINATED, (Action.REPORT_TRANSPORT_ERROR,)),
        (State.ACCEPTED, Signal.SUCCESS): (State.ACCEPTED, (Action.PASS_UP,)),
        (State.ACCEPTED, Signal.PROVISIONAL): (State.ACCEPTED, ()),
        (State.ACCEPTED, Signal.FAILURE): (State.ACCEPTED, ()),
        (State.ACCEPTED, Timer.M): (State.TERMINATED, ()),
        (State.ACCEPTED, Signal.TRANSPORT_ERROR): (State.ACCEPTED, ()),
    },
)
