"""What the API asks of running calls: the narrow door to the runtime, which lives in another thread.

Every method is called in the runtime's own event loop (``bridge``) and returns when the effect is in force. They
raise :class:`NoSuchCall` and :class:`Refused`, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from voicegw.base.ids import CallId
from voicegw.call.transfer_request import TransferKind
from voicegw.runtime.orders import CallBarred, NoSuchCall, Refused

__all__ = [
    "CallBarred",
    "CallControl",
    "Mode",
    "NoSuchCall",
    "Originator",
    "OutgoingCall",
    "Refused",
    "Supervisor",
    "TransferKind",
]


class Mode(StrEnum):
    """How a supervisor takes part."""

    LISTEN = "listen"
    WHISPER = "whisper"
    BARGE = "barge"
    TAKEOVER = "takeover"


@dataclass(frozen=True, slots=True)
class Supervisor:
    """Who supervises. ``address``: the SIP URI of the phone that the server calls, or ``webrtc`` for a browser."""

    user_id: str
    user_name: str
    address: str


@dataclass(frozen=True, slots=True)
class OutgoingCall:
    """A call to make: to whom, with which agent, through which trunk (empty: the first that fits)."""

    to: str
    agent: str
    calling: str = ""
    trunk: str = ""
    variables: tuple[tuple[str, str], ...] = ()
    user: str = ""
    """Who ordered it, by name."""
    key: str = ""
    """With which API key, by its id; empty for a session."""


class Originator(Protocol):
    """Makes calls."""

    async def originate(self, call: OutgoingCall) -> CallId:
        """Begin to call; the id is known before the phone rings. Raises :class:`Refused`."""
        ...


class CallControl(Protocol):
    """Changes running calls."""

    async def supervise(self, call_id: CallId, supervisor: Supervisor, mode: Mode) -> None:
        """Let the supervisor take part, or change the way they do."""
        ...

    async def whisper_text(self, call_id: CallId, supervisor: Supervisor, text: str) -> None:
        """Tell the agent something that the caller does not hear."""
        ...

    async def hand_back(self, call_id: CallId, supervisor: Supervisor) -> None:
        """The supervisor leaves; the agent goes on with what was said meanwhile."""
        ...

    async def end(self, call_id: CallId, supervisor: Supervisor) -> None:
        """End the call."""
        ...

    async def pause_recording(self, call_id: CallId, supervisor: Supervisor, paused: bool) -> None:
        """Record silence, or what is heard again."""
        ...

    async def transfer(self, call_id: CallId, supervisor: Supervisor, target: str, kind: TransferKind) -> None:
        """Move the caller to another number."""
        ...

    async def approve_tool(self, call_id: CallId, supervisor: Supervisor, tool_call: str, approved: bool) -> None:
        """Answer a tool that waits for a human, named by its idempotency key."""
        ...
