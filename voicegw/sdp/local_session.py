"""Our side of one SDP session: its id, and a version that grows only when the content changes (RFC 3264 §8)."""

from __future__ import annotations

from msgspec import Struct

from voicegw.sdp.description import Origin, SessionDescription


class LocalSession(Struct, frozen=True, gc=False):
    """What we last sent in a dialog, and under which version.

    A repeated version tells the peer that nothing changed. Session timers and carriers' keep-alive re-INVITEs rely
    on that, and some session border controllers restart the media on every new version.
    """

    session_id: int
    version: int = 1
    last: SessionDescription | None = None

    def publish(self, description: SessionDescription) -> tuple[LocalSession, SessionDescription]:
        """Return the session after sending ``description``, and ``description`` under the origin to send."""
        changed = self.last is not None and not same_content(self.last, description)
        version = self.version + 1 if changed else self.version
        made = description.origin
        origin = Origin(made.username, str(self.session_id), str(version), made.connection)
        sent = description.with_origin(origin)
        return LocalSession(self.session_id, version, sent), sent


def same_content(one: SessionDescription, other: SessionDescription) -> bool:
    """Tell whether two descriptions of one side are equal but for the session id and version."""
    made = one.origin
    origin = Origin(other.origin.username, made.session_id, made.version, other.origin.connection)
    return one == other.with_origin(origin)
