"""The SIP messages of a call as a packet capture, for tools that read nothing else.

What is kept is the messages and their addresses: see :mod:`voicegw.base.pcap` for what is made of them. Messages
whose text was not kept are not in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from voicegw.api.ladder import Ladder, Step
from voicegw.base.pcap import HEADER, Place, record
from voicegw.call.facts import CallWasOffered, Entry


def began_at(entries: Iterable[Entry]) -> float:
    """The Unix time of the offer, from which positions in a ladder count; 0.0 where it is not told."""
    offers = (entry.data for entry in entries if isinstance(entry.data, CallWasOffered))
    offer = next(offers, None)
    return datetime.fromisoformat(offer.started_at).timestamp() if offer is not None else 0.0


def ladder_pcap(found: Ladder, began: float) -> bytes:
    """The capture; ``began`` is the Unix time of the call's offer."""
    return HEADER + b"".join(_record(step, began) for step in found.steps if step.text)


def _record(step: Step, began: float) -> bytes:
    try:
        source, target = _place(step.sender_address), _place(step.receiver_address)
    except ValueError:
        return b""
    return record(round((began + step.at_ms / 1000) * 1_000_000), source, target, step.text.encode())


def _place(address: str) -> Place:
    """Address and port of HOST:PORT; raises ValueError."""
    host, _, port = address.rpartition(":")
    return host, int(port)
