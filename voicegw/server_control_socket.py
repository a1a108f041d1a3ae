"""The socket by which an operator on this machine reaches the running server, without the API and its keys.

One JSON object a line in each direction. Whoever may open the socket may use it: it is a file of mode 0600 that
belongs to the server's user. Who asked is taken from the kernel (``SO_PEERCRED``), not from what they say.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from voicegw.api.node_board import DrainWish, NodeBoard
from voicegw.base.clock import SystemClock
from voicegw.base.errors import LocalError, VoicegwError
from voicegw.base.personal import Personal
from voicegw.storage.audit import AuditNote
from voicegw.storage.config import StoreConfig
from voicegw.storage.errors import StoreUnavailable
from voicegw.storage.store import Store

log = logging.getLogger(__name__)

_LONGEST: Final = 64 * 1024
_PEER: Final = struct.Struct("3i")
"""pid, uid, gid of a peer."""


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked: ``do`` is status, drain, undrain or reload; ``wish`` goes with drain."""

    do: str
    wish: DrainWish = DrainWish()


class LocalAudit:
    """Notes in the audit what was done by way of the socket."""

    def __init__(self, store: StoreConfig) -> None:
        self._config = store
        self._clock = SystemClock()

    async def note(self, action: str, actor: str, after: Mapping[str, Any]) -> None:
        """Write it down; where the store is away, the log has it alone."""
        log.info("ordered", extra={"action": action, "by": Personal(actor), **after})
        note = AuditNote(
            at_wall_ms=round(self._clock.wall() * 1000),
            actor=actor,
            actor_kind="local",
            action=action,
            object_kind="node",
            after_json=msgspec.json.encode(after).decode(),
        )
        store = Store(self._config)
        try:
            async with store.write() as unit:
                await unit.audit.append(note)
        except StoreUnavailable as error:
            log.warning("the audit lacks an order: %s", error)
        finally:
            await store.close()


class ControlSocket:
    """``path`` empty: there is none. A server whose socket cannot be made serves calls all the same."""

    def __init__(self, path: str, board: NodeBoard, audit: LocalAudit) -> None:
        self._path = Path(path) if path else None
        self._board = board
        self._audit = audit
        self._server: asyncio.Server | None = None
        self._notes: set[asyncio.Task[None]] = set()
        self._visits: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        """Who is connected, and what serves them."""

    async def start(self) -> None:
        """Listen."""
        if self._path is None:
            return
        try:
            listener = _listen(self._path)
        except OSError as error:
            why = error.strerror or str(error)
            log.warning("there is no control socket at %s: %s; set paths.control", self._path, why)
            return
        self._server = await asyncio.start_unix_server(self._welcome, sock=listener, limit=_LONGEST)

    async def close(self) -> None:
        """Stop, remove the file, and let everybody go who is connected: whoever waits for our end sees it."""
        if self._server is None or self._path is None:
            return
        self._server.close()
        for writer in self._visits.values():
            writer.close()
        with suppress(FileNotFoundError):
            self._path.unlink()
        if going := {*self._notes, *self._visits}:
            await asyncio.wait(going)

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A task of our own: those of asyncio cannot be waited for, and complain when they are cancelled."""
        task = asyncio.create_task(self._serve(reader, writer), name="control socket")
        self._visits[task] = writer
        task.add_done_callback(self._visits.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        actor = _who(writer.get_extra_info("socket"))
        try:
            with suppress(ConnectionError, ValueError):  # gone, or a line that has no end
                while line := await reader.readline():
                    writer.write(msgspec.json.encode(await self._answer(line, actor)) + b"\n")
                    await writer.drain()
        finally:
            writer.close()  # whoever asked for what failed does not wait for an answer

    async def _answer(self, line: bytes, actor: str) -> Mapping[str, Any]:
        try:
            return {"ok": await self._obey(msgspec.json.decode(line, type=Order), actor)}
        except (msgspec.MsgspecError, VoicegwError) as error:
            return {"error": str(error)}

    async def _obey(self, order: Order, actor: str) -> Any:
        match order.do:
            case "status":
                return self._board.status()
            case "drain":
                status = await self._board.drain(order.wish, actor)
                self._note("node.drain", actor, msgspec.to_builtins(order.wish))
                return status
            case "undrain":
                status = await self._board.undrain(actor)
                self._note("node.undrain", actor, {})
                return status
            case "reload":
                report = await self._board.reload(actor)
                self._note("node.reload", actor, msgspec.to_builtins(report))
                return report
            case _:
                raise LocalError(f"nobody knows how to {order.do!r}")

    def _note(self, action: str, actor: str, after: Mapping[str, Any]) -> None:
        """Aside: what was ordered does not wait for a database."""
        task = asyncio.create_task(self._audit.note(action, actor, after), name="audit")
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)


def _listen(path: Path) -> socket.socket:
    """A socket there, in place of one that nobody listens to any more; raises OSError.

    Bound by way of its directory: the name of a socket may have 107 bytes, that of a directory more.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        short = f"/proc/self/fd/{directory}/{path.name}"
        if path.is_socket():
            _demand_abandoned(short)
            path.unlink()
        old = os.umask(0o177)
        try:
            listener.bind(short)
        finally:
            os.umask(old)
        listener.listen()
    except OSError:
        listener.close()
        raise
    finally:
        os.close(directory)
    return listener


def _demand_abandoned(address: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(address)
        except ConnectionRefusedError:
            return
    raise OSError(0, "another server has it")


def _who(peer: socket.socket) -> str:
    """The name of the user at the other end."""
    _pid, uid, _gid = _PEER.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
