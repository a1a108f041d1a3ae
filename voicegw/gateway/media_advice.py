"""What became of the audio of a test call, and what to change, in plain words. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from voicegw.gateway.trunk_advice import Finding, Grade, is_private

Place: TypeAlias = tuple[str, int]
POOR_LOSS: Final = 0.03
"""From here on a conversation suffers, however well it is concealed."""


@dataclass(frozen=True, slots=True)
class MediaSeen:
    """The audio of a call as our side saw it."""

    promised: Place
    """Where they said in SDP that their audio is."""
    ours: Place
    """Where we said that ours is."""
    heard_from: Place | None
    """Where theirs really came from; None where none was believed."""
    sent: int
    received: int
    lost: int = 0
    rejected: int = 0
    """What came and was not audio of this call."""
    is_reported: bool = False
    """Whether they sent RTCP reports of what they received of ours."""
    peer_lost: int = 0
    round_trip_ms: float = -1.0


def judge(seen: MediaSeen, server: str) -> Iterator[Finding]:
    """Both directions. ``server``: the address of the trunk's signalling."""
    yield _inbound(seen, server)
    if seen.heard_from is not None and seen.heard_from != seen.promised:
        yield _elsewhere(seen.promised, seen.heard_from)
    yield _outbound(seen)


def _inbound(seen: MediaSeen, server: str) -> Finding:
    text = f"{seen.received} packets from {_text(seen.heard_from or seen.promised)}"
    if seen.received:
        total = seen.received + seen.lost
        if seen.lost > POOR_LOSS * total:
            fix = "packets are lost on the way to us: look at the line, or have the provider look at its side"
            return Finding(Grade.WARN, "audio in", "loss", f"{text}, {seen.lost} of {total} lost", fix)
        return Finding(Grade.OK, "audio in", "ok", f"{text}, {seen.lost} lost")
    if seen.rejected:
        text = f"{seen.rejected} packets came, none of them audio of this call"
        fix = (
            "they send another codec than they agreed to, or encrypted audio: check 'codecs' and SRTP at their side"
        )
        return Finding(Grade.FAIL, "audio in", "foreign_media", text, fix)
    return _nothing(seen, server)


def _nothing(seen: MediaSeen, server: str) -> Finding:
    promised, ours = _text(seen.promised), _text(seen.ours)
    text = f"nothing came from {promised} to {ours}"
    if is_private(seen.ours[0]) and not is_private(server):
        fix = "we offered a private address: set sip.advertised_ip, and forward the RTP ports to this machine"
        return Finding(Grade.FAIL, "audio in", "private_media", text, fix)
    if is_private(seen.promised[0]) and not is_private(server):
        fix = "they named a private address: have them set their external address, or send media by their SBC"
        return Finding(Grade.FAIL, "audio in", "their_private_media", text, fix)
    fix = (
        "let UDP to media.port_low-port_high through the firewall; behind NAT set sip.advertised_ip; "
        "or the far end was silent: call a number that speaks or sends back what it hears"
    )
    return Finding(Grade.FAIL, "audio in", "no_media", text, fix)


def _elsewhere(promised: Place, heard_from: Place) -> Finding:
    text = f"audio came from {_text(heard_from)}, and their SDP had said {_text(promised)}"
    fix = (
        "there is NAT before them; we follow it once they send, but hear nothing where they wait for us: "
        "have them set their external address"
    )
    return Finding(Grade.WARN, "audio in", "other_source", text, fix)


def _outbound(seen: MediaSeen) -> Finding:
    text = f"{seen.sent} packets to {_text(seen.heard_from or seen.promised)}"
    if not seen.sent:
        fix = "they asked us to send nothing (hold), or the call was too short"
        return Finding(Grade.WARN, "audio out", "nothing_sent", text, fix)
    if not seen.is_reported:
        told = "no RTCP report says what arrived: listen there"
        return Finding(Grade.OK, "audio out", "unreported", f"{text}; {told}")
    trip = f", {seen.round_trip_ms:.0f} ms there and back" if seen.round_trip_ms >= 0 else ""
    if seen.peer_lost > POOR_LOSS * seen.sent:
        fix = "packets are lost on the way to them: look at the line, or have the provider look at its side"
        return Finding(Grade.WARN, "audio out", "loss", f"{text}, they miss {seen.peer_lost}{trip}", fix)
    return Finding(Grade.OK, "audio out", "ok", f"{text}, they miss {max(0, seen.peer_lost)}{trip}")


def _text(place: Place) -> str:
    return f"[{place[0]}]:{place[1]}" if ":" in place[0] else f"{place[0]}:{place[1]}"
