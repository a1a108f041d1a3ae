"""Orders of people and of the agent about a running call: who supervises, where the caller goes, when it ends."""

from __future__ import annotations

from collections.abc import Callable

from voicegw.agents.actions import Transfer
from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId, token
from voicegw.call import events as e
from voicegw.call import facts as f
from voicegw.call.machine import CallMachine
from voicegw.call.states import CallState
from voicegw.call.transfer_request import TransferKind, TransferRequest
from voicegw.runtime.agent_gate import AgentGate
from voicegw.runtime.call_capture import CallCapture
from voicegw.runtime.call_recorder import CallRecorder
from voicegw.runtime.conversation import Conversation
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.orders import (
    Dismiss,
    EndCall,
    MoveCall,
    Ordered,
    PauseRecording,
    StartCapture,
    StopCapture,
    Supervise,
    WhisperText,
)
from voicegw.runtime.services import CallServices
from voicegw.runtime.supervision import SupervisionDesk


class OrderDesk:
    """Lives in the call task. ``tell`` reaches the call machine at once, ``post`` after what is going on now."""

    def __init__(
        self,
        services: CallServices,
        caller: LegId,
        machine: CallMachine,
        book: LogBook,
        tell: Callable[[e.CallEvent], None],
        post: Callable[[e.CallEvent], None],
        recorder: CallRecorder,
        capture: CallCapture,
    ) -> None:
        self._services = services
        self._caller = caller
        self._machine = machine
        self._book = book
        self._tell = tell
        self._post = post
        self._recorder = recorder
        self._capture = capture
        self._conversation: Conversation | None = None
        self._gate: AgentGate | None = None
        self._supervision: SupervisionDesk | None = None

    def begin(
        self, conversation: Conversation | None, gate: AgentGate | None, supervision: SupervisionDesk
    ) -> None:
        """The agent has the caller, or (None) others are recorded: from now on there is something to order."""
        self._conversation, self._gate, self._supervision = conversation, gate, supervision

    def end(self) -> None:
        """Let everything go."""
        self._conversation = self._gate = self._supervision = None

    def take(self, ordered: Ordered) -> None:
        """What somebody outside wants of the call."""
        match ordered.order:
            case Supervise() | Dismiss() | WhisperText():
                self._supervise(ordered)
                return
            case PauseRecording(name, paused):
                if not self._recorder.order_pause(name, paused=paused):
                    ordered.refuse("nothing is being recorded")
                    return
            case StartCapture() | StopCapture():
                self._capture.take(ordered, (self._caller, *self._machine.legs))
                return
            case EndCall(name):
                self._book.note(f.CallWasOrdered(name, "end"))
                self._tell(e.EndRequested(HangupCause.SUPERVISOR_ENDED))
            case MoveCall(name, target, kind):
                if self._conversation is None or self._gate is None or not self.can_move(target):
                    ordered.refuse(f"there is nobody called {target!r} to transfer to")
                    return
                self._book.note(f.CallWasOrdered(name, "move", target))
                transfer = Transfer(target, "", kind.value)
                if self._gate.is_open:
                    self._conversation.leave(transfer)
                else:
                    self.move(transfer)
        ordered.carried_out()

    def can_move(self, target: str) -> bool:
        """Whether this target is known."""
        return self._services.transfers.target(target) is not None

    def move(self, action: Transfer) -> None:
        """All that was to be said has been heard: the caller is moved."""
        target = self._services.transfers.target(action.target)
        if target is None or self._conversation is None:
            return
        request = TransferRequest(
            TransferKind(action.kind or target.kind),
            action.target,
            target.destination,
            LegId(token(self._services.random, 16)),
            action.summary,
            dict(self._conversation.collected),
            self._services.signalling.may_refer(self._caller),
            target.leave,
        )
        self._post(e.TransferRequested(request))

    def _supervise(self, ordered: Ordered) -> None:
        if self._supervision is None or self._machine.state is not CallState.ACTIVE:
            ordered.refuse("the call is not up")
            return
        event = self._supervision.order(ordered)
        if event is not None:
            self._tell(event)
