"""What lasts in a call besides talk: hold, recording, transfers, supervision, webhooks, waits for an approval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from voicegw.base.personal import PersonalView
from voicegw.call import facts as f
from voicegw.ports.tracing import Value
from voicegw.telemetry.span import Draft, ours

Lasting: TypeAlias = (
    f.CallWasHeld
    | f.RecordingHasStarted
    | f.RecordingWasPaused
    | f.RecordingWasResumed
    | f.RecordingHasEnded
    | f.RecordingHasFailed
    | f.RecordingWasDiscarded
    | f.TransferHasBegun
    | f.TransferHasProgressed
    | f.TransferHasFailed
    | f.CallerWasConnected
    | f.CallerWasMoved
    | f.SupervisorHasJoined
    | f.SupervisorModeHasChanged
    | f.SupervisorHasLeft
    | f.WebhookWasCalled
    | f.WebhookHasReturned
    | f.ToolWaitsForApproval
    | f.ToolWasApproved
    | f.ToolWasRefused
    | f.ToolWasWithdrawn
)
_HOLD: Final = "hold"
_RECORDING: Final = "recording"
_TRANSFER: Final = "transfer"
_NOTHING: Final[Mapping[str, Value]] = {}


class Stretches:
    """Begins and ends them as their facts come. ``view``: what of people may be seen."""

    def __init__(self, view: PersonalView) -> None:
        self.drafts: list[Draft] = []
        self._view = view
        self._open: dict[str, Draft] = {}

    def take(self, fact: Lasting, at_ms: float) -> None:
        """The next fact."""
        match fact:
            case f.CallWasHeld():
                if not fact.held:
                    self._end(_HOLD, at_ms)
                elif _HOLD not in self._open:
                    self._begin(_HOLD, _HOLD, at_ms)
            case f.TransferHasBegun() | f.TransferHasProgressed() | f.TransferHasFailed():
                self._transfer(fact, at_ms)
            case f.CallerWasConnected() | f.CallerWasMoved():
                outcome = "connected" if isinstance(fact, f.CallerWasConnected) else "moved"
                self._end(_TRANSFER, at_ms, {"transfer.outcome": outcome})
            case f.SupervisorHasJoined() | f.SupervisorModeHasChanged() | f.SupervisorHasLeft():
                self._supervisor(fact, at_ms)
            case f.WebhookWasCalled():
                self._begin(f"webhook {fact.step}", "webhook", at_ms, {"webhook.step": fact.step})
            case f.WebhookHasReturned():
                self._webhook_returned(fact, at_ms)
            case f.ToolWaitsForApproval():
                self._begin(fact.key, "approval", at_ms, {"tool.name": fact.tool})
            case f.ToolWasApproved() | f.ToolWasRefused() | f.ToolWasWithdrawn():
                outcome = type(fact).__name__.removeprefix("ToolWas").lower()
                self._end(fact.key, at_ms, {"approval.outcome": outcome})
            case _:
                self._recording(fact, at_ms)

    def host(self, at_ms: float) -> Draft | None:
        """The webhook that a request belongs to which began at ``at_ms``."""
        found = (one for one in reversed(self.drafts) if one.name == "webhook" and one.covers(at_ms))
        return next(found, None)

    # ------------------------------------------------------------ one kind each

    def _recording(self, fact: Lasting, at_ms: float) -> None:
        draft = self._open.get(_RECORDING)
        match fact:
            case f.RecordingHasStarted():
                self._end(_RECORDING, at_ms)
                self._begin(_RECORDING, _RECORDING, at_ms)
            case f.RecordingWasPaused() | f.RecordingWasResumed() if draft is not None:
                draft.note(type(fact).__name__.removeprefix("RecordingWas").lower(), at_ms)
            case f.RecordingHasEnded():
                self._end(_RECORDING, at_ms, {"recording.dropped_samples": fact.dropped_samples})
            case f.RecordingHasFailed():
                if draft is not None:
                    draft.failure = "recording failed"
                self._end(_RECORDING, at_ms)
            case f.RecordingWasDiscarded():
                self._end(_RECORDING, at_ms, {"recording.discarded": True})
            case _:
                pass

    def _transfer(
        self, fact: f.TransferHasBegun | f.TransferHasProgressed | f.TransferHasFailed, at_ms: float
    ) -> None:
        match fact:
            case f.TransferHasBegun():
                self._end(_TRANSFER, at_ms)
                told = {"transfer.kind": fact.kind, "transfer.target": fact.target}
                self._begin(_TRANSFER, _TRANSFER, at_ms, told | {"transfer.uri": self._view.show(fact.uri)})
            case f.TransferHasProgressed():
                if (draft := self._open.get(_TRANSFER)) is not None:
                    draft.note(fact.step, at_ms, {"sip.status_code": fact.status} if fact.status else {})
            case f.TransferHasFailed():
                if (draft := self._open.get(_TRANSFER)) is not None:
                    draft.failure = fact.reason
                self._end(_TRANSFER, at_ms, {"transfer.outcome": "failed"})

    def _supervisor(
        self, fact: f.SupervisorHasJoined | f.SupervisorModeHasChanged | f.SupervisorHasLeft, at_ms: float
    ) -> None:
        """A span for the supervisor, and in it one for each mode."""
        who, mode_key = f"supervisor {fact.name}", f"mode {fact.name}"
        match fact:
            case f.SupervisorHasJoined():
                self._begin(who, "supervision", at_ms, {"supervisor.name": self._view.show(fact.name)})
                self._begin(mode_key, "listen", at_ms, {}, self._open[who])
            case f.SupervisorModeHasChanged():
                self._end(mode_key, at_ms)
                if fact.mode != "none":
                    told = {"supervision.effect_ms": fact.effect_ms} if fact.effect_ms >= 0 else {}
                    self._begin(mode_key, fact.mode, at_ms, told, self._open.get(who))
            case f.SupervisorHasLeft():
                self._end(mode_key, at_ms)
                self._end(who, at_ms, {"supervision.cause": fact.cause})

    def _webhook_returned(self, fact: f.WebhookHasReturned, at_ms: float) -> None:
        key = f"webhook {fact.step}"
        draft = self._open.get(key)
        if draft is not None and fact.error:
            draft.failure = str(fact.status) if fact.status >= 400 else "no usable answer"
        self._end(key, at_ms, {"webhook.status": fact.status} if fact.status else {})

    # ------------------------------------------------------------ begin and end

    def _begin(
        self, key: str, name: str, at_ms: float, told: Mapping[str, Value] = _NOTHING, within: Draft | None = None
    ) -> None:
        draft = self._open[key] = Draft(name, at_ms, attributes=ours(told))
        (self.drafts if within is None else within.children).append(draft)

    def _end(self, key: str, at_ms: float, told: Mapping[str, Value] = _NOTHING) -> None:
        draft = self._open.pop(key, None)
        if draft is not None:
            draft.end_ms = at_ms
            draft.attributes |= ours(told)
