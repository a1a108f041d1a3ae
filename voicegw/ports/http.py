"""Web requests as agents see them: one request, one answer, nothing kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What came back. ``body`` is the text as sent, at most :attr:`HttpClient.max_body_bytes` of it."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


class HttpClient(Protocol):
    """Does one web request at a time for a webhook or a tool; many may be under way."""

    max_body_bytes: int
    """A longer answer is an error: an agent never reads a download into memory."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        json_body: object | None,
        timeout_s: float,
    ) -> HttpResponse:
        """Send and wait for the whole answer; any HTTP status is an answer.

        ``json_body`` is serialised when it is not None. Raises
        :class:`~voicegw.base.errors.ProviderError` when no answer came within ``timeout_s`` seconds, when the
        connection failed, or when the answer is too long.
        """
        ...
