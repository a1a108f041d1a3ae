"""Where model files come from: a web server or a directory. Nothing else, and nothing by default."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx

from voicegw.base.errors import ConfigError, LocalError, ProviderError
from voicegw.inference.models.manifest import Model, ModelFile

PIECE_BYTES = 1 << 20
_NOT_FOUND = 404
_CONNECT_S, _READ_S = 10.0, 30.0
"""A mirror that is there answers within these, even a slow one."""


@dataclass(frozen=True, slots=True)
class Download:
    """Bytes from ``offset`` on, which is 0 where the source could not begin in the middle."""

    offset: int
    pieces: Iterator[bytes]


class Source(Protocol):
    """A mirror."""

    def open(self, model: Model, file: ModelFile, offset: int) -> AbstractContextManager[Download]:
        """A file of a model from ``offset`` on.

        Raises ProviderError (a mirror that cannot be reached or breaks off) or LocalError (a file that cannot be
        read); while the pieces are taken, too.
        """
        ...


def places(model: Model, file: ModelFile) -> tuple[str, str]:
    """Where a mirror may have a file: as the hub lays it out, or as a folder of models does."""
    return f"{model.source}/{file.name}", f"{model.folder}/{file.name}"


class DirectorySource:
    """A directory, on a disk that was carried to a site without a network, say."""

    def __init__(self, directory: Path) -> None:
        if not directory.is_dir():
            raise LocalError(f"there is no directory {directory}")
        self._directory = directory

    @contextmanager
    def open(self, model: Model, file: ModelFile, offset: int) -> Iterator[Download]:
        """See :class:`Source`."""
        there = [place for place in places(model, file) if (self._directory / place).is_file()]
        if not there:
            wanted = " nor ".join(places(model, file))
            raise ProviderError("mirror", f"{self._directory} has neither {wanted}", retryable=False)
        try:
            with (self._directory / there[0]).open("rb") as opened:
                opened.seek(offset)
                yield Download(offset, iter(lambda: opened.read(PIECE_BYTES), b""))
        except PermissionError as error:
            raise LocalError(f"cannot read {self._directory / there[0]}: {error.strerror}") from error


class HttpSource:
    """A web server that serves files; one that knows ranges (RFC 9110 §14) lets a download go on."""

    def __init__(self, base_url: str, transport: httpx.BaseTransport | None = None) -> None:
        timeout = httpx.Timeout(_READ_S, connect=_CONNECT_S)
        self._base = base_url.rstrip("/")
        self._http = httpx.Client(
            timeout=timeout, follow_redirects=True, transport=transport, headers={"Accept-Encoding": "identity"}
        )

    @contextmanager
    def open(self, model: Model, file: ModelFile, offset: int) -> Iterator[Download]:
        """See :class:`Source`."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        first, second = (f"{self._base}/{place}" for place in places(model, file))
        try:
            with ExitStack() as stack:
                response = stack.enter_context(self._http.stream("GET", first, headers=headers))
                if response.status_code == _NOT_FOUND:
                    response = stack.enter_context(self._http.stream("GET", second, headers=headers))
                yield Download(_begin(response, offset), response.iter_raw())
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            reason = str(error) or type(error).__name__
            message = f"{self._base}: {reason}. Is there a network? Without one: --from DIRECTORY"
            raise ProviderError("mirror", message, retryable=isinstance(error, httpx.TransportError)) from error

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _begin(response: httpx.Response, offset: int) -> int:
    """Where the body begins; raises ProviderError for a refusal, or a range that was not asked for."""
    if response.status_code == 200:
        return 0
    if response.status_code == 206 and response.headers.get("content-range", "").startswith(f"bytes {offset}-"):
        return offset
    message = f"{response.url}: HTTP {response.status_code}"
    raise ProviderError("mirror", message, retryable=response.status_code >= 500)


def make_source(mirror: str) -> DirectorySource | HttpSource:
    """The source for what ``--from`` or the configuration says; raises ConfigError if it says nothing."""
    if not mirror:
        raise ConfigError(
            "no mirror of models is known, and nothing is fetched from anywhere else",
            fix="--from https://MIRROR or --from DIRECTORY; or models.mirror in the configuration",
        )
    return HttpSource(mirror) if mirror.startswith(("http://", "https://")) else DirectorySource(Path(mirror))
