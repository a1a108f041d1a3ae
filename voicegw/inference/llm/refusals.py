"""What a refusal of a chat server means: is it full, is it ill, or does it not like this request?"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from voicegw.base.errors import ProviderError
from voicegw.ports.llm import LlmOverloaded, LlmRejected

_EXCERPT = 200
_REQUEST_AT_FAULT = frozenset({400, 413, 414, 415, 422})
_TRY_LATER = frozenset({408, 425, 429, 503})


def refusal(provider: str, status: int, retry_after: str, body: str, *, wall_s: float) -> ProviderError:
    """The error for an answer that is not 200.

    ``retry_after`` is the header's value, empty if there is none; ``wall_s`` is now, for the form of it that is a
    date (RFC 9110 §10.2.3). Exhausted credit comes as 429 too, but no waiting helps.
    """
    message = f"HTTP {status}: {' '.join(body.split())[:_EXCERPT]}".rstrip(": ")
    if status == 429 and "insufficient_quota" in body:
        return ProviderError(provider, message, retryable=False)
    if status in _TRY_LATER:
        return LlmOverloaded(provider, message, retry_after_s(retry_after, wall_s))
    if status in _REQUEST_AT_FAULT:
        return LlmRejected(provider, message)
    return ProviderError(provider, message, retryable=status >= 500)


def retry_after_s(value: str, wall_s: float) -> float | None:
    """Seconds from now of a Retry-After header; None where it says nothing that can be understood."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - wall_s)
    except (ValueError, TypeError, OverflowError):
        return None


def refuses_usage(status: int, body: str) -> bool:
    """Whether the server refuses a request only because it does not know ``stream_options``."""
    return status in _REQUEST_AT_FAULT and ("stream_options" in body or "include_usage" in body)
