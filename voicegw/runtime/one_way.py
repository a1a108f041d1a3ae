"""Why nobody hears anybody on a leg that is answered: the likely reason, in words that name what to look at."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

from voicegw.media.messages import LegProbed

SOME_PACKETS: Final = 50
"""A second of audio: fewer say nothing about the way."""
_PRIVATE: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "169.254.0.0/16",
            "fc00::/7",
            "fe80::/10",
        ),
    )
)


@dataclass(frozen=True, slots=True)
class LineEnds:
    """Addresses of a leg. ``told``: ours in our description. ``described``: the peer's in its own, with the port.
    ``signalled``: where its SIP comes from, "" where that is not known."""

    told: str
    described: str
    described_port: int
    signalled: str


@dataclass(frozen=True, slots=True)
class Missing:
    """``direction`` and ``reason`` as in :class:`voicegw.call.facts.AudioWasMissing`."""

    direction: str
    reason: str
    text: str


def missing_audio(probe: LegProbed, ends: LineEnds) -> Missing | None:
    """What is wrong; None where each side hears the other, or may not, or where nobody can tell yet."""
    deaf = probe.receiving and not probe.packets_received
    unheard = probe.sending and probe.packets_sent >= SOME_PACKETS and probe.reports > 0 and not probe.peer_hears
    if deaf:
        reason, text = _why_deaf(probe, ends)
        return Missing("both" if unheard else "from_peer", reason, text)
    if unheard:
        text = "the peer sends, but its RTCP says that it receives nothing of ours"
        return Missing("to_peer", "unheard", f"{text}: a firewall on the way, or it waits at another address")
    return None


def _why_deaf(probe: LegProbed, ends: LineEnds) -> tuple[str, str]:
    if probe.packets_rejected:
        what = f"{probe.packets_rejected} packets came and were not believed"
        return "refused", f"{what}: they come from another address, or are of another codec or key, than was agreed"
    if probe.reports and not probe.peer_sends:
        return "muted", "the peer's RTCP says that it sends no audio: it is muted, or suppresses silence"
    place = f"{ends.described}:{ends.described_port}"
    if is_private(ends.told) and not is_private(ends.described):
        fix = "set sip.advertised_ip, and let the media ports through"
        return "nat_ours", f"we told the peer our private address {ends.told}, which it cannot reach: {fix}"
    if is_private(ends.described) and ends.signalled and not is_private(ends.signalled):
        what = f"the peer describes its media at a private address, {place}; its SIP comes from {ends.signalled}"
        return "nat_peer", f"{what}: it is behind NAT, and nothing has come through"
    if ends.signalled and ends.signalled != ends.described:
        what = f"the peer describes its media at {place}, and its SIP comes from {ends.signalled}"
        return "address", f"{what}: nothing came; a wrong address in its description, or a firewall"
    heard = ", though its RTCP does" if probe.reports else ""
    return "firewall", f"nothing arrives from {place}{heard}: a firewall before our media ports is likely"


def is_private(host: str) -> bool:
    """Whether an address means something in its own network only (RFC 1918, RFC 6598, RFC 4193)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _PRIVATE)
