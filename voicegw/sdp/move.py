"""The same session with its audio received elsewhere (RFC 3264 §8.3.1)."""

from __future__ import annotations

from msgspec.structs import replace

from voicegw.sdp.description import MediaDescription, SessionDescription, connection_for


def moved_to(description: SessionDescription, ip: str, port: int) -> SessionDescription:
    """``description`` of ours with the audio at ``ip`` and ``port``; refused sections stay refused.

    LocalError where ``ip`` is no address.
    """
    media = tuple(_moved(section, port) for section in description.media)
    return replace(description, media=media, connection=connection_for(ip))


def _moved(section: MediaDescription, port: int) -> MediaDescription:
    if not section.port:
        return section
    return replace(section, port=port, connection=None)
