"""From the API's thread into the runtime's loop: the only way that the API may touch a call.

The other way, facts come by :meth:`voicegw.api.events_stream.EventHub.publish`. Nothing else is shared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from voicegw.api.control import CallControl, Mode, Originator, OutgoingCall, Refused, Supervisor, TransferKind
from voicegw.api.installation import Documents, Installer, TrunkSwitch
from voicegw.base.errors import ConfigError
from voicegw.base.ids import CallId

T = TypeVar("T")

PATIENCE_S = 35.0
"""The runtime answers in milliseconds, but a supervisor's phone may ring for half a minute before it does."""


class Bridge:
    """Runs coroutines in another loop and waits for them in this one."""

    def __init__(self, runtime: asyncio.AbstractEventLoop) -> None:
        self._runtime = runtime

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work``, or what it raises; Refused where the runtime is gone or too busy."""
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._runtime)
        except RuntimeError:
            work.close()
            raise Refused("the server is stopping") from None
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise Refused("the server did not do it in time") from None


class BridgedInstaller:
    """An :class:`Installer` in the runtime's loop."""

    def __init__(self, bridge: Bridge, installer: Installer) -> None:
        self._bridge = bridge
        self._installer = installer

    async def rehearse(self, documents: Documents) -> None:
        """See :class:`Installer`."""
        await self._run(self._installer.rehearse(documents))

    async def install(self, documents: Documents) -> None:
        """See :class:`Installer`."""
        await self._run(self._installer.install(documents))

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await self._bridge.run(work)
        except Refused as refused:
            raise ConfigError(str(refused), fix="try again") from None


class BridgedTrunks:
    """A :class:`TrunkSwitch` in the runtime's loop."""

    def __init__(self, bridge: Bridge, trunks: TrunkSwitch) -> None:
        self._bridge = bridge
        self._trunks = trunks

    async def changed(self) -> None:
        """See :class:`TrunkSwitch`."""
        await self._bridge.run(self._trunks.changed())


class BridgedOriginator:
    """An :class:`Originator` in the runtime's loop."""

    def __init__(self, bridge: Bridge, originator: Originator) -> None:
        self._bridge = bridge
        self._originator = originator

    async def originate(self, call: OutgoingCall) -> CallId:
        """See :class:`Originator`."""
        return await self._bridge.run(self._originator.originate(call))


class BridgedControl:
    """A :class:`CallControl` in the runtime's loop."""

    def __init__(self, bridge: Bridge, control: CallControl) -> None:
        self._bridge = bridge
        self._control = control

    async def supervise(self, call_id: CallId, supervisor: Supervisor, mode: Mode) -> None:
        """See :class:`CallControl`."""
        await self._bridge.run(self._control.supervise(call_id, supervisor, mode))

    async def whisper_text(self, call_id: CallId, supervisor: Supervisor, text: str) -> None:
        """See :class:`CallControl`."""
        await self._bridge.run(self._control.whisper_text(call_id, supervisor, text))

    async def hand_back(self, call_id: CallId, supervisor: Supervisor) -> None:
        """See :class:`CallControl`."""
        await self._bridge.run(self._control.hand_back(call_id, supervisor))

    async def end(self, call_id: CallId, supervisor: Supervisor) -> None:
        """See :class:`CallControl`."""
        await self._bridge.run(self._control.end(call_id, supervisor))

    async def pause_recording(self, call_id: CallId, supervisor: Supervisor, paused: bool) -> None:
        """See :class:`CallControl`."""
        await self._bridge.run(self._control.pause_recording(call_id, supervisor, paused))

    async def transfer(self, call_id: CallId, supervisor: Supervisor, target: str, kind: TransferKind) -> None:
        """See :class:`CallControl`."""
        await self._bridge.run(self._control.transfer(call_id, supervisor, target, kind))

    async def approve_tool(self, call_id: CallId, supervisor: Supervisor, tool_call: str, approved: bool) -> None:
        """See :class:`CallControl`."""
        await self._bridge.run(self._control.approve_tool(call_id, supervisor, tool_call, approved))
