"""Running calls in the hands of people: for the admin API and whatever else controls calls.

All methods run in the event loop of the calls and return when the effect is in force in the media worker; they
raise :class:`NoSuchCall` and :class:`Refused`, nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.base.ids import CallId, LegId, RandomBytes, token
from voicegw.call.states import CallState, Control
from voicegw.call.supervision import SupervisorInput, SupervisorMode
from voicegw.call.transfer_request import TransferKind
from voicegw.gateway.tolls.calls import NOBODY, Payer
from voicegw.runtime.call_manager import CallManager
from voicegw.runtime.orders import (
    Dismiss,
    EndCall,
    MoveCall,
    NoSuchCall,
    Order,
    PauseRecording,
    Refused,
    StartCapture,
    StopCapture,
    Supervise,
    WhisperText,
)

PATIENCE_S: Final = 30.0
"""A supervisor's phone may ring for this long."""
_INPUTS: Final = {
    SupervisorMode.LISTEN: SupervisorInput.LISTEN,
    SupervisorMode.WHISPER: SupervisorInput.WHISPER,
    SupervisorMode.BARGE: SupervisorInput.BARGE,
    SupervisorMode.TAKEOVER: SupervisorInput.TAKE_OVER,
}


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A running call as it is now; its story is in its facts."""

    call_id: CallId
    state: CallState
    control: Control
    supervisors: tuple[tuple[str, SupervisorMode], ...]
    """Who takes part, and how."""


class RuntimeControl:
    """The implementation of call control."""

    def __init__(self, manager: CallManager, random: RandomBytes) -> None:
        self._manager = manager
        self._random = random

    def live(self) -> list[LiveCall]:
        """All calls that have not ended."""
        found = []
        for call in self._manager.calls():
            machine = call.machine
            present = tuple((one.name, one.mode) for one in machine.supervisors)
            found.append(LiveCall(call.call_id, machine.state, machine.control, present))
        return found

    def admit(self, call_id: CallId, name: str, mode: SupervisorMode = SupervisorMode.LISTEN) -> str:
        """A code that lets the phone that dials it supervise this call, once, for a short time."""
        if self._manager.find(call_id) is None:
            raise NoSuchCall(f"no call {call_id}")
        return self._manager.codes.issue(call_id, name, _input(mode))

    def originate(
        self,
        uri: str,
        agent: str,
        calling: str = "",
        told: Mapping[str, str] = MappingProxyType({}),
        payer: Payer = NOBODY,
    ) -> CallId:
        """Call somebody and let an agent, who is ``told`` this, talk with them; the id is known before the phone
        rings."""
        try:
            return self._manager.originate(uri, agent, calling, told, payer)
        except (LocalError, RemoteProtocolError) as error:
            raise Refused(str(error)) from None

    async def supervise(self, call_id: CallId, name: str, address: str, mode: SupervisorMode) -> None:
        """Let ``name`` take part, or change how they do. Their phone at ``address`` (a SIP URI) is called first."""
        leg_id = LegId(token(self._random, 16))
        await self._order(call_id, Supervise(name, _input(mode), leg_id, address))

    async def whisper_text(self, call_id: CallId, name: str, text: str) -> None:
        """Tell the agent something; it knows from its next answer on."""
        await self._order(call_id, WhisperText(name, text))

    async def hand_back(self, call_id: CallId, name: str) -> None:
        """The supervisor leaves; the agent goes on with what was said meanwhile."""
        await self._order(call_id, Dismiss(name))

    async def end(self, call_id: CallId, name: str) -> None:
        """End the call; ``name`` is for the record."""
        await self._order(call_id, EndCall(name))

    async def pause_recording(self, call_id: CallId, name: str, *, paused: bool) -> None:
        """Record silence, or what is heard again."""
        await self._order(call_id, PauseRecording(name, paused))

    async def start_capture(self, call_id: CallId, order: StartCapture) -> None:
        """Write down the packets of a call."""
        await self._order(call_id, order)

    async def stop_capture(self, call_id: CallId, name: str) -> None:
        """End that; returns when the file is complete."""
        await self._order(call_id, StopCapture(name))

    async def transfer(self, call_id: CallId, name: str, target: str, kind: TransferKind) -> None:
        """Move the caller; returns when the move has begun. How it went is told by the call's facts."""
        await self._order(call_id, MoveCall(name, target, kind))

    async def _order(self, call_id: CallId, order: Order) -> None:
        call = self._manager.find(call_id)
        if call is None:
            raise NoSuchCall(f"no call {call_id}")
        answer = call.ask(order)
        done, _ = await asyncio.wait({answer}, timeout=PATIENCE_S)
        if not done:
            answer.cancel()
            raise Refused("nothing came of it in time")
        answer.result()


def _input(mode: SupervisorMode) -> SupervisorInput:
    if mode not in _INPUTS:
        raise Refused(f"nobody can take part as {mode.value}")
    return _INPUTS[mode]
