"""INVITE server transaction: RFC 3261 §17.2.1 as corrected by RFC 6026 §7.1 and figure 5 there.

The 2xx is retransmitted by the dialog (§13.3.1.4), not from here: in Accepted the transaction only absorbs the
INVITE's retransmissions, so that none of them starts a second call.
"""

from __future__ import annotations

from voicegw.sip.machine import Action, Machine, Signal, State
from voicegw.sip.timers import Timer

INVITE_SERVER = Machine(
    "INVITE server",
    State.PROCEEDING,
    {
        (State.PROCEEDING, Signal.REQUEST): (State.PROCEEDING, (Action.SEND,)),
        (State.PROCEEDING, Signal.ACK): (State.PROCEEDING, ()),
        (State.PROCEEDING, Signal.PROVISIONAL): (State.PROCEEDING, (Action.SEND,)),
        (State.PROCEEDING, Signal.SUCCESS): (State.ACCEPTED, (Action.SEND, Timer.L)),
        (State.PROCEEDING, Signal.FAILURE): (State.COMPLETED, (Action.SEND, Timer.G, Timer.H)),
        (State.PROCEEDING, Signal.TRANSPORT_ERROR): (State.PROCEEDING, (Action.REPORT_TRANSPORT_ERROR,)),
        (State.COMPLETED, Signal.REQUEST): (State.COMPLETED, (Action.SEND,)),
        (State.COMPLETED, Signal.ACK): (State.CONFIRMED, (Timer.I,)),
        (State.COMPLETED, Timer.G): (State.COMPLETED, (Action.SEND, Timer.G)),
        (State.COMPLETED, Timer.H): (State.TERMINATED, (Action.REPORT_TIMEOUT,)),
        (State.COMPLETED, Signal.TRANSPORT_ERROR): (State.COMPLETED, (Action.REPORT_TRANSPORT_ERROR,)),
        (State.CONFIRMED, Signal.REQUEST): (State.CONFIRMED, ()),
        (State.CONFIRMED, Signal.ACK): (State.CONFIRMED, ()),
        (State.CONFIRMED, Timer.I): (State.TERMINATED, ()),
        (State.CONFIRMED, Signal.TRANSPORT_ERROR): (State.CONFIRMED, ()),
        (State.ACCEPTED, Signal.REQUEST): (State.ACCEPTED, ()),
        (State.ACCEPTED, Signal.ACK): (State.ACCEPTED, (Action.PASS_UP,)),
        (State.ACCEPTED, Signal.SUCCESS): (State.ACCEPTED, (Action.SEND,)),
        (State.ACCEPTED, Timer.L): (State.TERMINATED, ()),
        (State.ACCEPTED, Signal.TRANSPORT_ERROR): (State.ACCEPTED, (Action.REPORT_TRANSPORT_ERROR,)),
    },
)
