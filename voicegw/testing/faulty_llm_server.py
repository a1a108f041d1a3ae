"""A chat server of ours that answers from a script, with fixed delays, and misbehaves on request.

Each request takes the next :class:`Script`; the last one serves all that follow. ``requests`` and ``gone`` tell
what clients did.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto


class Fault(Enum):
    """What goes wrong."""

    NONE = auto()
    REFUSE = auto()
    """Answer with ``Script.status`` and ``Script.headers``."""
    HANG_UP = auto()
    """Close the connection without a word."""
    MALFORMED_CHUNK = auto()
    """After ``fault_after`` words, a chunk that is no JSON."""
    ERROR_CHUNK = auto()
    """After ``fault_after`` words, an error object in the stream."""
    DIE = auto()
    """After ``fault_after`` words, close the connection in the middle of a chunk."""
    END_EARLY = auto()
    """After ``fault_after`` words, end the answer properly, but without a finish reason."""
    STALL = auto()
    """After ``fault_after`` words, say nothing more."""
    MUMBLE = auto()
    """After ``fault_after`` words, nothing but keep-alive comments."""
    LINGER = auto()
    """After the whole answer, keep-alive comments instead of an end."""
    WRONG_TYPE = auto()
    """Status 200, but a web page."""


@dataclass(frozen=True, slots=True)
class ScriptedTool:
    """A tool call of the answer; its arguments are sent in pieces of a few characters."""

    name: str
    arguments_json: str
    id: str = "call_a"


@dataclass(frozen=True, slots=True)
class Script:
    """One answer: ``words`` with ``first_token_s`` before the first and ``token_s`` before each further one."""

    words: Sequence[str] = ("Hello", " there", ".")
    tools: Sequence[ScriptedTool] = ()
    first_token_s: float = 0.0
    token_s: float = 0.0
    finish_reason: str = "stop"
    fault: Fault = Fault.NONE
    fault_after: int = 1
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = '{"error": {"message": "it is not your fault"}}'
    knows_usage: bool = True
    """Whether the server understands ``stream_options``; else it refuses a request that has them with 400."""
    sends_done: bool = True
    """Whether ``[DONE]`` ends the answer."""
    comments: int = 0
    """Keep-alive comments before the first word."""


class FaultyLlmServer:
    """Listens on loopback. ``requests`` are the bodies received, ``heads`` what came before each; ``connections``
    counts what was accepted. To be acquired: ``asked``, a request has come; ``gone``, a client has left in
    mid-answer."""

    def __init__(self, *scripts: Script, port: int = 0) -> None:
        self.port = port
        self.requests: list[bytes] = []
        self.heads: list[bytes] = []
        self.connections = 0
        self.asked = asyncio.Semaphore(0)
        self.gone = asyncio.Semaphore(0)
        self._scripts = list(scripts) or [Script()]
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        """For :class:`voicegw.inference.llm.config.ChatServerConfig`."""
        return f"http://127.0.0.1:{self.port}/v1"

    def serve(self, *scripts: Script) -> None:
        """From the next request on, these."""
        self._scripts = list(scripts)

    async def start(self) -> None:
        """Listen; :attr:`port` is the real one when 0 was asked."""
        self._server = await asyncio.start_server(self._client, "127.0.0.1", self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop, and end every answer."""
        if self._server is not None:
            self._server.close()
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        self.connections += 1
        early: bytes | None = b""
        try:
            while early is not None:
                early = await self._one(early, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client went away between two answers
        finally:
            writer.close()
            self._clients.discard(task)

    async def _one(self, early: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
        """Serve one request; what has come of the next one, or None when the connection is over."""
        head = early + await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(_content_length(head))
        self.requests.append(body)
        self.heads.append(head)
        self.asked.release()
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        # Reading on is how a client that hangs up in mid-answer is noticed.
        onward = asyncio.create_task(_read_on(reader))
        answer = asyncio.create_task(_answer(script, body, writer))
        try:
            await asyncio.wait({onward, answer}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done() and not onward.result():
                self.gone.release()
                return None
            more = await answer
            return (onward.result() if onward.done() else b"") if more else None
        finally:
            answer.cancel()
            onward.cancel()
            await asyncio.wait({onward, answer})


async def _read_on(reader: asyncio.StreamReader) -> bytes:
    """The first byte of the next request; empty if the client closed, or closed with words of ours unread."""
    try:
        return await reader.read(1)
    except ConnectionError:
        return b""


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def _answer(script: Script, body: bytes, writer: asyncio.StreamWriter) -> bool:
    if script.fault is Fault.HANG_UP:
        return False
    if not script.knows_usage and "stream_options" in json.loads(body):
        message = '{"error": {"message": "stream_options: extra fields not permitted"}}'
        return await _page(writer, 400, {"Content-Type": "application/json"}, message)
    if script.fault is Fault.REFUSE:
        return await _page(writer, script.status, script.headers, script.body)
    if script.fault is Fault.WRONG_TYPE:
        return await _page(writer, 200, {"Content-Type": "text/html"}, "<html>Please log in</html>")
    return await _stream(script, json.loads(body), writer)


async def _page(writer: asyncio.StreamWriter, status: int, headers: Mapping[str, str], text: str) -> bool:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
    lines.append(f"Content-Length: {len(text.encode())}")
    writer.write(("\r\n".join(lines) + "\r\n\r\n" + text).encode())
    await writer.drain()
    return True


async def _stream(script: Script, request: Mapping[str, object], writer: asyncio.StreamWriter) -> bool:
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    for _ in range(script.comments):
        await _send(writer, b": still here\n\n")
    await asyncio.sleep(script.first_token_s)
    for number, word in enumerate(script.words):
        if number == script.fault_after and script.fault not in (Fault.NONE, Fault.LINGER):
            return await _misbehave(script.fault, writer)
        if number:
            await asyncio.sleep(script.token_s)
        await _send(writer, _event({"choices": [{"index": 0, "delta": {"content": word}}]}))
    for delta in _tool_deltas(script.tools):
        await _send(writer, _event({"choices": [{"index": 0, "delta": {"tool_calls": [delta]}}]}))
    await _send(writer, _event({"choices": [{"index": 0, "delta": {}, "finish_reason": script.finish_reason}]}))
    if script.fault is Fault.LINGER:
        return await _misbehave(script.fault, writer)
    if "stream_options" in request:
        counts = {"prompt_tokens": 40, "completion_tokens": len(script.words)}
        usage = counts | {"prompt_tokens_details": {"cached_tokens": 30}}
        await _send(writer, _event({"choices": [], "usage": usage}))
    if script.sends_done:
        await _send(writer, b"data: [DONE]\n\n")
    await _send(writer, b"")
    return True


async def _misbehave(fault: Fault, writer: asyncio.StreamWriter) -> bool:
    match fault:
        case Fault.MALFORMED_CHUNK:
            await _send(writer, b'data: {"choices": [{"delta": {"content": \n\n')
            await _send(writer, b"")
        case Fault.ERROR_CHUNK:
            await _send(writer, _event({"error": {"message": "out of memory", "code": 500}}))
        case Fault.DIE:
            writer.write(b'40\r\ndata: {"choices": [{"del')
            await writer.drain()
        case Fault.END_EARLY:
            await _send(writer, b"")
        case Fault.STALL:
            await asyncio.Event().wait()
        case Fault.MUMBLE | Fault.LINGER:
            while True:
                await _send(writer, b": still here\n\n")
                await asyncio.sleep(0.01)
        case _:
            raise ValueError(f"{fault} does not happen in mid-answer")
    return fault in (Fault.END_EARLY, Fault.MALFORMED_CHUNK)


def _tool_deltas(tools: Sequence[ScriptedTool]) -> Iterator[dict[str, object]]:
    for index, tool in enumerate(tools):
        yield {"index": index, "id": tool.id, "type": "function", "function": {"name": tool.name, "arguments": ""}}
        for start in range(0, len(tool.arguments_json), 5):
            piece = tool.arguments_json[start : start + 5]
            yield {"index": index, "function": {"arguments": piece}}


def _event(payload: Mapping[str, object]) -> bytes:
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    """One chunk of the transfer coding (RFC 9112 §7.1); an empty one is the last."""
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))
    await writer.drain()
