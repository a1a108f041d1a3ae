"""Who sends and who receives (RFC 3264 §5.1, §6.1), and hold in the ways that peers spell it (§8.4)."""

from __future__ import annotations

from voicegw.sdp.description import MediaDescription, SessionDescription

SENDRECV, SENDONLY, RECVONLY, INACTIVE = "sendrecv", "sendonly", "recvonly", "inactive"
DIRECTIONS = (SENDRECV, SENDONLY, RECVONLY, INACTIVE)


def sends(direction: str) -> bool:
    """Tell whether the side that states ``direction`` sends."""
    return direction in (SENDRECV, SENDONLY)


def receives(direction: str) -> bool:
    """Tell whether the side that states ``direction`` receives."""
    return direction in (SENDRECV, RECVONLY)


def direction_of(description: SessionDescription, media: MediaDescription) -> str:
    """Return the direction of ``media`` as its sender sees it.

    Without an attribute it is sendrecv. An unspecified address (0.0.0.0) is the hold of RFC 2543: its sender does
    not want to receive, whatever else it says. Port 0 stops the stream both ways.
    """
    if media.port == 0:
        return INACTIVE
    names = [name for name, _ in (*media.attributes, *description.attributes)]
    way = next((name for name in names if name in DIRECTIONS), SENDRECV)
    connection = description.connection_of(media)
    ip = None if connection is None else connection.ip
    if ip is not None and ip.is_unspecified:
        return SENDONLY if sends(way) else INACTIVE
    return way


def answer_direction(theirs: str, ours: str = SENDRECV) -> str:
    """Return our direction, given theirs and what we ourselves want: we send what they receive, and so on."""
    send = receives(theirs) and sends(ours)
    receive = sends(theirs) and receives(ours)
    if send:
        return SENDRECV if receive else SENDONLY
    return RECVONLY if receive else INACTIVE
