"""The same session with its audio received elsewhere (RFC 3264 §8.3.1)."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from voicegw.sdp.description import MediaDescription, SessionDescription, connection_for


def moved_to(description: SessionDescription, ip: str, port: int) -> SessionDescription:
    """``description`` of ours with the audio at ``ip`` and ``port``; refused sections stay refused.

    LocalError where ``ip`` is no address.
    """
    media = tuple(_moved(section, port) for section in description.media)
    return replace(description, media=media, connection=connection_for(ip))


def sections_moved_to(description: SessionDescription, ip: str, ports: Mapping[int, int]) -> SessionDescription:
    """The same where every section has a port of its own: ``ports``, by the section's number.

    A section that has none there is refused from now on.
    """
    media = tuple(_moved(section, ports.get(place, 0)) for place, section in enumerate(description.media))
    return replace(description, media=media, connection=connection_for(ip))


def _moved(section: MediaDescription, port: int) -> MediaDescription:
    if not section.port:
        return section
    return replace(section, port=port, connection=None)
