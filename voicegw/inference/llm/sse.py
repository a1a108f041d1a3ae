"""Server-sent events: bytes in as they arrive, the data of whole events out.

The format is that of the HTML standard, "Server-sent events". Only ``data`` matters here: chat servers name no
events they want told apart, and comments are keep-alives.
"""

from __future__ import annotations

from voicegw.base.errors import RemoteProtocolError

MAX_EVENT_BYTES = 1024 * 1024
"""A chunk of an answer has a few hundred bytes; a server that sends this much without an end is broken."""

_BOM = b"\xef\xbb\xbf"


class SseDecoder:
    """Cuts a byte stream into events; keeps what is torn until the rest arrives."""

    def __init__(self) -> None:
        self._tail = b""
        self._data: list[bytes] = []
        self._size = 0
        self._skip_newline = False
        self._at_start = True

    def feed(self, piece: bytes) -> list[bytes]:
        """Take bytes in; the data of every event that is now whole, its lines joined by newlines.

        Raises :class:`~voicegw.base.errors.RemoteProtocolError` for an event beyond :data:`MAX_EVENT_BYTES`.
        """
        if not piece:
            return []
        if self._skip_newline:
            # The piece before ended with a carriage return, which may have been the first half of CR LF.
            piece = piece.removeprefix(b"\n")
            self._skip_newline = False
        text = self._tail + piece
        if self._at_start and len(text) >= len(_BOM):
            text = text.removeprefix(_BOM)
            self._at_start = False
        lines = text.splitlines(keepends=True)
        self._tail = lines.pop() if lines and not lines[-1].endswith((b"\n", b"\r")) else b""
        self._skip_newline = bool(lines) and not self._tail and lines[-1].endswith(b"\r")
        events = [data for line in lines if (data := self._line(line.rstrip(b"\r\n"))) is not None]
        if len(self._tail) + self._size > MAX_EVENT_BYTES:
            raise RemoteProtocolError(f"an event of more than {MAX_EVENT_BYTES} bytes")
        return events

    def _line(self, line: bytes) -> bytes | None:
        """The data of the event that this line ends, if it ends one."""
        if line:
            name, _, value = line.partition(b":")
            if name == b"data":
                self._data.append(value.removeprefix(b" "))
                self._size += len(value)
            return None
        if not self._data:
            return None
        data = b"\n".join(self._data)
        self._data.clear()
        self._size = 0
        return data
