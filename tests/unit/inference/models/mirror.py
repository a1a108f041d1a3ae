"""Models of a few kilobytes, and a web server that serves them and breaks off as told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import httpx

from voicegw.inference.models.manifest import Manifest, Model, ModelFile

WEIGHTS = bytes(range(256)) * 40
CONFIG = b'{"layers": 1}'


def model_file(name: str, content: bytes) -> ModelFile:
    return ModelFile(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest())


MODEL = Model(
    name="tiny",
    kind="whisper",
    about="a model of ten kilobytes",
    licence="none",
    folder="tiny",
    source="maker/tiny/resolve/1",
    files=(model_file("model.bin", WEIGHTS), model_file("config.json", CONFIG)),
)
MANIFEST = Manifest(models=(MODEL,))


class Mirror(httpx.BaseTransport):
    """Serves ``files``; connections break after ``break_after`` bytes of a body, ``breaks`` times."""

    def __init__(
        self, files: dict[str, bytes], *, ranges: bool = True, break_after: int = 0, breaks: int = 0
    ) -> None:
        self.files = files
        self.requests: list[tuple[str, str]] = []
        self.breaks = breaks
        self._ranges = ranges
        self._break_after = break_after

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        wanted = request.headers.get("range", "")
        self.requests.append((request.url.path, wanted))
        content = self.files.get(request.url.path.lstrip("/"))
        if content is None:
            return httpx.Response(404, request=request)
        if not (wanted and self._ranges):
            return httpx.Response(200, stream=_Body(self, content), request=request)
        begin = int(wanted.removeprefix("bytes=").rstrip("-"))
        headers = {"Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"}
        return httpx.Response(206, headers=headers, stream=_Body(self, content[begin:]), request=request)

    def pieces(self, content: bytes) -> Iterator[bytes]:
        """The body in pieces of a kilobyte, up to where it breaks off."""
        for start in range(0, len(content), 1024):
            if self.breaks and start >= self._break_after:
                self.breaks -= 1
                raise httpx.ReadError("connection reset")
            yield content[start : start + 1024]


class _Body(httpx.SyncByteStream):
    def __init__(self, mirror: Mirror, content: bytes) -> None:
        self._mirror = mirror
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        return self._mirror.pieces(self._content)


def hub(**changes: bytes) -> dict[str, bytes]:
    """The files as a hub lays them out; ``changes`` by name with the dots left out."""
    contents = {"model.bin": WEIGHTS, "config.json": CONFIG}
    return {
        f"{MODEL.source}/{name}": changes.get(name.replace(".", ""), content) for name, content in contents.items()
    }
