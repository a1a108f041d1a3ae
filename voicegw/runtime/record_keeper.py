"""What the record of a call says of its line: how it came, how it sounded, what SIP said, and why it ended."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from voicegw.base.causes import HangupCause
from voicegw.base.ids import CallId, LegId
from voicegw.call import facts as f
from voicegw.call.machine import CallMachine
from voicegw.call.states import LegRole
from voicegw.gateway.sip_traces import Trace
from voicegw.media import messages as m
from voicegw.runtime.introduction import introduction
from voicegw.runtime.line_facts import measured, rated, traced
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.offer import Offer
from voicegw.runtime.services import CallServices

log = logging.getLogger(__name__)
FIRST_TRACE_S = 5.0
"""After the offer: the set-up of most calls is over, and short calls are written down in one piece at their end."""
TRACE_EVERY_S = 30.0
"""Where there is anything new, which in most calls there is not."""


class RecordKeeper:
    """Of one call; what is said in it is written down by the conversation."""

    def __init__(self, services: CallServices, machine: CallMachine, book: LogBook) -> None:
        self._services = services
        self._machine = machine
        self._book = book
        self._trace_at: float | None = None
        self.streams: dict[LegId, str] = {}
        """The labels of the streams of a recording session, by their legs."""

    def get_timer(self) -> float | None:
        """When :meth:`handle_timer` is due."""
        return self._trace_at

    def handle_timer(self, now: float, leg_ids: Sequence[LegId]) -> None:
        """Write down what SIP has said so far: for who looks while the call goes on, and in case that we die."""
        if self._trace_at is None or now < self._trace_at:
            return
        self._trace_at = now + TRACE_EVERY_S
        for leg_id in leg_ids:
            self._note(leg_id, self._services.signalling.take_first_trace(leg_id))

    def begin(self, call_id: CallId, offer: Offer, routed: f.CallWasRouted | None) -> None:
        """The offer, and the dialplan's decision about it."""
        self._trace_at = self._services.clock.monotonic() + FIRST_TRACE_S
        self._book.note(offer.fact(call_id, self._services.clock.wall()))
        introduced = introduction(offer.trunk, offer.parties)
        if introduced != f.CallWasIntroduced():
            self._book.note(introduced)
        if routed is not None:
            self._book.note(routed)

    def whose(self, leg_id: LegId) -> tuple[str, str]:
        """What a leg is in the call, and the name of a supervisor whose leg it is, or the label of a stream."""
        if (label := self.streams.get(leg_id)) is not None:
            return "stream", label
        leg = self._machine.legs.get(leg_id)
        return (leg.role.value, leg.party) if leg is not None else (LegRole.CALLER.value, "")

    def heard(self, report: m.LegClosed | m.QualityRated) -> None:
        """How a leg sounded."""
        whose = self.whose(report.leg_id)
        self._book.note(
            measured(report.stats, *whose) if isinstance(report, m.LegClosed) else rated(report, *whose)
        )

    def _note(self, leg_id: LegId, trace: Trace | None) -> None:
        if trace is not None:
            self._book.note(traced(trace, *self.whose(leg_id), self._book.position_ms))

    def close(self, cause: HangupCause, leg_ids: Sequence[LegId]) -> None:
        """The last facts."""
        for leg_id in leg_ids:
            self._note(leg_id, self._services.signalling.take_trace(leg_id))
        why, duration_ms = cause.value, self._book.position_ms(self._services.clock.monotonic())
        self._book.note(f.CallHasEnded(why.name, why.side.value, why.failure, why.q850, why.text, duration_ms))
        self._book.close()
        log.info("call ended", extra={"cause": why.name, "duration_ms": duration_ms})
