"""The legs of the gateway that have not ended, by their names and by the SIP calls behind them."""

from __future__ import annotations

from voicegw.base.ids import LegId
from voicegw.gateway.leg import SipLeg
from voicegw.gateway.sip_traces import SipTraces
from voicegw.gateway.tolls.calls import NOBODY, Payer
from voicegw.gateway.trunk_desk import TrunkDesk
from voicegw.sip.events import SipCallHandle


class LegTable:
    """Who else has to know of a leg's name and end, its trunk and its trace, learns it from here."""

    def __init__(self, trunks: TrunkDesk, traces: SipTraces) -> None:
        self.by_id: dict[LegId, SipLeg] = {}
        self.by_handle: dict[SipCallHandle, SipLeg] = {}
        self._trunks = trunks
        self._traces = traces

    def get(self, leg_id: LegId) -> SipLeg | None:
        """The leg; None for one that has ended."""
        return self.by_id.get(leg_id)

    def handle_of(self, leg_id: LegId) -> SipCallHandle | None:
        """The SIP call behind a leg; None where there is none yet, or none any more."""
        return leg.handle if (leg := self.by_id.get(leg_id)) is not None else None

    def payer_of(self, leg_id: LegId) -> Payer:
        """On whose behalf a leg goes out by a trunk."""
        call = self._trunks.tolls.book.call_of(leg_id)
        return call.payer if call is not None else NOBODY

    def add(self, leg: SipLeg) -> None:
        """A leg begins, or has another SIP call behind it than before."""
        self.by_id[leg.leg_id] = leg
        if leg.handle is not None:
            self.by_handle[leg.handle] = leg

    def detach(self, leg: SipLeg) -> None:
        """The dialog that it was is over, and the leg goes on."""
        if leg.handle is not None:
            self.by_handle.pop(leg.handle, None)
            leg.handle = None

    def rename(self, leg_id: LegId, name: LegId) -> None:
        """A leg is called something else from now on: the device of a phone that answered."""
        leg = self.by_id.pop(leg_id)
        leg.leg_id = name
        self.by_id[name] = leg
        self._traces.rename(leg_id, name)
        self._trunks.rename(leg_id, name)

    def forget_limits(self, leg: SipLeg) -> None:
        """It takes no trunk's place any more and may last as long as it likes."""
        self._trunks.release(leg.leg_id)
        leg.limit(0, lambda: None)

    def remove(self, leg: SipLeg) -> bool:
        """A leg has ended; False if it had before."""
        if self.by_id.pop(leg.leg_id, None) is None:
            return False
        self.detach(leg)
        self._traces.ended(leg.leg_id)
        self.forget_limits(leg)
        return True
