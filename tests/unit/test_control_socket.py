"""The control socket when the server ends while somebody is connected."""

from __future__ import annotations

import asyncio
import gc
import json
from pathlib import Path
from typing import Any, cast

from voicegw.api.node_board import NodeBoard
from voicegw.runtime.drain import DrainStatus, NodeState
from voicegw.server_control_socket import ControlSocket, LocalAudit


class Board:
    """A node that serves."""

    def status(self) -> DrainStatus:
        return DrainStatus(NodeState.SERVING, calls=2)

    async def reload(self, _by: str) -> None:
        raise OSError("a fault that nobody thought of")


def test_who_is_connected_is_let_go_and_nothing_is_left(tmp_path: Path) -> None:
    complaints: list[dict[str, Any]] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
        control = ControlSocket(str(tmp_path / "control.sock"), cast(NodeBoard, Board()), cast(LocalAudit, None))
        await control.start()
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "control.sock"))
        writer.write(b'{"do": "status"}\n')
        assert json.loads(await reader.readline())["ok"]["calls"] == 2
        await control.close()
        assert await reader.read() == b""
        assert asyncio.all_tasks() == {asyncio.current_task()}
        writer.close()
        await writer.wait_closed()

    asyncio.run(run())
    assert complaints == [] and not (tmp_path / "control.sock").exists()


def test_who_asked_for_what_fails_is_let_go_and_the_fault_is_seen(tmp_path: Path) -> None:
    complaints: list[dict[str, Any]] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
        control = ControlSocket(str(tmp_path / "control.sock"), cast(NodeBoard, Board()), cast(LocalAudit, None))
        await control.start()
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "control.sock"))
        writer.write(b'{"do": "reload"}\n')
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        await control.close()

    asyncio.run(run())
    gc.collect()
    assert "nobody thought of" in str(complaints[0]["exception"])
