"""Non-INVITE client transaction: RFC 3261 §17.1.2 and figure 6."""

from __future__ import annotations

from voicegw.sip.machine import Action, Machine, Signal, State
from voicegw.sip.timers import Timer

NON_INVITE_CLIENT = Machine(
    "non-INVITE client",
    State.TRYING,
    {
        (State.TRYING, Signal.START): (State.TRYING, (Action.SEND, Timer.E, Timer.F)),
        (State.TRYING, Timer.E): (State.TRYING, (Action.SEND, Timer.E)),
        (State.TRYING, Timer.F): (State.TERMINATED, (Action.REPORT_TIMEOUT,)),
        (State.TRYING, Signal.PROVISIONAL): (State.PROCEEDING, (Action.PASS_UP,)),
        (State.TRYING, Signal.SUCCESS): (State.COMPLETED, (Timer.K, Action.PASS_UP)),
        (State.TRYING, Signal.FAILURE): (State.COMPLETED, (Timer.K, Action.PASS_UP)),
        (State.TRYING, Signal.TRANSPORT_ERROR): (State.TERMINATED, (Action.REPORT_TRANSPORT_ERROR,)),
        (State.PROCEEDING, Timer.E): (State.PROCEEDING, (Action.SEND, Timer.E)),
        (State.PROCEEDING, Timer.F): (State.TERMINATED, (Action.REPORT_TIMEOUT,)),
        (State.PROCEEDING, Signal.PROVISIONAL): (State.PROCEEDING, (Action.PASS_UP,)),
        (State.PROCEEDING, Signal.SUCCESS): (State.COMPLETED, (Timer.K, Action.PASS_UP)),
        (State.PROCEEDING, Signal.FAILURE): (State.COMPLETED, (Timer.K, Action.PASS_UP)),
        (State.PROCEEDING, Signal.TRANSPORT_ERROR): (State.TERMINATED, (Action.REPORT_TRANSPORT_ERROR,)),
        (State.COMPLETED, Signal.PROVISIONAL): (State.COMPLETED, ()),
        (State.COMPLETED, Signal.SUCCESS): (State.COMPLETED, ()),
        (State.COMPLETED, Signal.FAILURE): (State.COMPLETED, ()),
        (State.COMPLETED, Timer.K): (State.TERMINATED, ()),
        (State.COMPLETED, Signal.TRANSPORT_ERROR): (State.COMPLETED, ()),
    },
)
