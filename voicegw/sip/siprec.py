"""The session recording protocol as SIP has it (RFC 7866): who forks somebody's audio to us, and what it tells of
them besides the session description.
"""

from __future__ import annotations

from typing import Final

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.bodies import RS_METADATA, body_part
from voicegw.sip.headers import NameAddr
from voicegw.sip.message import Message, Request

SIPREC: Final = "siprec"
"""The option tag of a recording session (RFC 7866 §5.3)."""
SRS_FEATURE: Final = "+sip.srs"
"""What our Contact says in one (RFC 7866 §5.2)."""
_SRC_FEATURE: Final = "+sip.src"


def is_recording_session(request: Request) -> bool:
    """Whether this INVITE opens a recording session: it requires the extension, or its Contact is a client's.

    Either is enough. A client that forgets one of them must not be talked to by an agent.
    """
    if any(tag.lower() == SIPREC for tag in request.headers.values("Require")):
        return True
    return any(_is_client(contact) for contact in request.headers.values("Contact"))


def metadata_of(message: Message) -> bytes:
    """The recording metadata (RFC 7865) that a message carries, b"" if none; not looked into here."""
    try:
        return body_part(message, RS_METADATA)
    except RemoteProtocolError:
        return b""


def _is_client(contact: str) -> bool:
    if _SRC_FEATURE not in contact.lower():  # almost every call: parsing is for the others
        return False
    try:
        return _SRC_FEATURE in NameAddr.parse(contact).params
    except RemoteProtocolError:
        return False
