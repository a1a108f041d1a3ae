"""Text that can be written anywhere.

JSON can say half of a surrogate pair (``"\\ud800"``, what is left of an emoji that somebody has cut in two), and
Python's parser makes a text of it that no encoding has. It is harmless until it is to be written: to a log, a
database, a worker, another node. So it is made whole where it comes in, and where facts go out.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec


class _Encoder(Protocol):
    def encode(self, obj: Any, /) -> bytes: ...


def whole(text: str) -> str:
    """Halves of surrogate pairs become U+FFFD; two that belong together become their character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def encoded(encoder: _Encoder, value: object) -> bytes:
    """As the encoder writes it; with its texts made whole where it could not."""
    try:
        return encoder.encode(value)
    except UnicodeEncodeError:
        return encoder.encode(_whole(msgspec.to_builtins(value)))


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, dict):
        return {_whole(key): _whole(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(one) for one in value]
    return value
