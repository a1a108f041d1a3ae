"""What somebody who is to take a call is told about it, by voice and in the INVITE.

In writing twice: ``Subject`` is for the eyes (RFC 3261 §20.36), ``User-to-User`` for programs (RFC 7433) in the one
package that is standardised, ISDN's (RFC 7434): at most 128 octets of which the first names the protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SUBJECT_CHARACTERS: Final = 160
UUI_OCTETS: Final = 128
IA5: Final = 0x04
"""Protocol discriminator of text (ITU-T Q.931 table 4-26)."""


def subject(summary: str) -> str:
    """One line of the summary."""
    line = " ".join(summary.split())
    return line if len(line) <= SUBJECT_CHARACTERS else line[: SUBJECT_CHARACTERS - 1].rstrip() + "…"


def user_to_user(details: Mapping[str, str]) -> str:
    """``name=value`` pairs in the order given, as many as fit, in hexadecimal; empty where none fits.

    Half a pair would be a wrong value, so the first that does not fit ends the list.
    """
    data = bytes([IA5])
    for name, value in details.items():
        pair = f"{_clean(name)}={_clean(value)};".encode("ascii", "replace")
        if len(data) + len(pair) > UUI_OCTETS:
            break
        data += pair
    return f"{data.hex()};encoding=hex;purpose=isdn-uui;content=isdn-uui" if len(data) > 1 else ""


def invite_headers(summary: str, details: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What the INVITE to the target says besides who calls."""
    headers = (("Subject", subject(summary)), ("User-to-User", user_to_user(details)))
    return tuple((name, value) for name, value in headers if value)


def refer_headers(details: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """What the caller's side is asked to say in its INVITE to the target (RFC 7433 §4): the values alone.

    Its network may show a Subject to the caller, who need not read what is said of them.
    """
    data = user_to_user(details)
    return (("User-to-User", data),) if data else ()


def spoken_summary(summary: str, details: Mapping[str, str]) -> str:
    """What the target hears: the agent's own words, or else the values that it collected."""
    if summary:
        return summary
    collected = "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in details.items() if value)
    return f"What is known so far: {collected}." if collected else "The caller has not said what it is about."


def _clean(text: str) -> str:
    """Without what would end a name or a value."""
    return " ".join(text.replace(";", ",").replace("=", ":").split())
