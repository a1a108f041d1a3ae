"""Where RTCP goes: on the port of the audio (RFC 5761), where ``a=rtcp`` says (RFC 3605), or a port above it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from voicegw.sdp.description import Attributes, Connection, MediaDescription

MUX: Final = "rtcp-mux"
_RTCP = re.compile(r"([0-9]{1,5})(?:[ \t]+IN[ \t]+IP[46][ \t]+([^ \t]{1,64}))?[ \t]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ReportPlace:
    """``mux``: with the audio. Else ``port`` of ``ip`` where SDP names one; 0 is the one above the audio's."""

    mux: bool = False
    ip: str = ""
    port: int = 0


NEXT_PORT: Final = ReportPlace()


def place_of_reports(media: MediaDescription, remote_ip: str, said: MediaDescription | None = None) -> ReportPlace:
    """Where the peer of ``media`` wants reports. ``said``: what we offered, without which no port is shared."""
    mux = media.attribute(MUX) is not None and (said is None or said.attribute(MUX) is not None)
    if mux:
        return ReportPlace(mux=True)
    match = _RTCP.fullmatch(media.attribute("rtcp") or "")
    port = 0 if match is None else int(match.group(1))
    if match is None or not 0 < port <= 65535:
        return NEXT_PORT
    named = None if match.group(2) is None else Connection(match.group(2)).ip
    if match.group(2) is None:
        return ReportPlace(ip=remote_ip, port=port)
    if named is None or named.is_unspecified or named.is_multicast:
        return NEXT_PORT
    return ReportPlace(ip=named.compressed, port=port)


def mux_attribute(media: MediaDescription | None) -> Attributes:
    """One port for both: we say so in every offer (None), and in an answer where it was offered (§5.1.1)."""
    return ((MUX, None),) if media is None or media.attribute(MUX) is not None else ()
