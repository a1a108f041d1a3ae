"""Non-INVITE server transaction: RFC 3261 §17.2.2 and figure 8."""

from __future__ import annotations

from voicegw.sip.machine import Action, Machine, Signal, State
from voicegw.sip.timers import Timer

NON_INVITE_SERVER = Machine(
    "non-INVITE server",
    State.TRYING,
    {
        (State.TRYING, Signal.REQUEST): (State.TRYING, ()),
        (State.TRYING, Signal.PROVISIONAL): (State.PROCEEDING, (Action.SEND,)),
        (State.TRYING, Signal.SUCCESS): (State.COMPLETED, (Action.SEND, Timer.J)),
        (State.TRYING, Signal.FAILURE): (State.COMPLETED, (Action.SEND, Timer.J)),
        (State.TRYING, Signal.TRANSPORT_ERROR): (State.TRYING, ()),
        (State.PROCEEDING, Signal.REQUEST): (State.PROCEEDING, (Action.SEND,)),
        (State.PROCEEDING, Signal.PROVISIONAL): (State.PROCEEDING, (Action.SEND,)),
        (State.PROCEEDING, Signal.SUCCESS): (State.COMPLETED, (Action.SEND, Timer.J)),
        (State.PROCEEDING, Signal.FAILURE): (State.COMPLETED, (Action.SEND, Timer.J)),
        (State.PROCEEDING, Signal.TRANSPORT_ERROR): (State.TERMINATED, (Action.REPORT_TRANSPORT_ERROR,)),
        (State.COMPLETED, Signal.REQUEST): (State.COMPLETED, (Action.SEND,)),
        (State.COMPLETED, Timer.J): (State.TERMINATED, ()),
        (State.COMPLETED, Signal.TRANSPORT_ERROR): (State.TERMINATED, (Action.REPORT_TRANSPORT_ERROR,)),
    },
)
