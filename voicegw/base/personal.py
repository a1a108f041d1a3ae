"""What of a person may be seen outside of the call's record: as it is, under a pseudonym, or not at all.

Numbers, addresses, names, spoken words and keys are personal. Addresses of machines, ids and causes are not.
"""

from __future__ import annotations

import re
from enum import StrEnum
from hashlib import blake2b
from typing import Final

PSEUDONYM_DIGITS: Final = 12
"""Hexadecimal: enough for a million numbers without two that are the same by chance, in most installations."""
DROPPED: Final = "[dropped]"
_WEB: Final = re.compile(r"(https?://[^\s/?#'\"]+)[^\s'\"]*")
_NUMBER: Final = re.compile(r"(?<![\w.:~/-])\+?\d{7,15}(?![\w.:])")
_ADDRESS: Final = re.compile(r"(?P<scheme>sips?:|tel:)(?P<user>[^@\s;>?]+)(?P<rest>@[^\s>]*)?", re.IGNORECASE)


class Disclosure(StrEnum):
    """How personal fields appear."""

    KEEP = "keep"
    HASH = "hash"
    """A keyed hash: the same person is seen to be the same, and nobody without the key finds out who."""
    DROP = "drop"


class PersonalView:
    """Shows personal values as ``disclosure`` says; ``key`` is that of the pseudonyms, any bytes."""

    def __init__(self, disclosure: Disclosure, key: bytes = b"") -> None:
        self.disclosure = disclosure
        self._key = blake2b(key, digest_size=32, person=b"voicegw person").digest()

    def show(self, value: str) -> str:
        """``value`` as it may be seen; "" where it may not. Of a SIP address the host stays beside a pseudonym."""
        if self.disclosure is Disclosure.KEEP or not value:
            return value
        if self.disclosure is Disclosure.DROP:
            return ""
        address = _ADDRESS.fullmatch(value)
        if address is None:
            return self._pseudonym(value)
        return f"{address['scheme']}{self._pseudonym(address['user'])}{address['rest'] or ''}"

    def _pseudonym(self, value: str) -> str:
        digest = blake2b(value.encode(errors="replace"), key=self._key, digest_size=PSEUDONYM_DIGITS // 2)
        return f"~{digest.hexdigest()}"


class Personal:
    """A value of a person on its way into a log: it prints as the process's view of people says.

    A wrapper, because the place that logs knows what is personal, and the one that writes knows what may be seen.
    """

    __slots__ = ("_value",)
    view: PersonalView = PersonalView(Disclosure.KEEP)
    """Of this process; set where logs are configured."""

    def __init__(self, value: object) -> None:
        self._value = value

    @property
    def shown(self) -> str:
        """As it may be seen; "" where it may not."""
        return self.view.show(str(self._value))

    def __str__(self) -> str:
        return self.shown or DROPPED

    __repr__ = __str__


def scrubbed(text: str, view: PersonalView) -> str:
    """A text of which nobody has said what in it is personal, without what looks like it.

    That is a net and no more: addresses of SIP and the web, and what is long enough to be a number to call.
    """
    if view.disclosure is Disclosure.KEEP:
        return text
    text = _WEB.sub(r"\1", text)
    text = _ADDRESS.sub(lambda found: view.show(found[0]) or f"{found['scheme']}{DROPPED}", text)
    return _NUMBER.sub(lambda found: view.show(found[0]) or DROPPED, text)
