"""One message, whatever it is, to a user agent with media behind it; and what the sender sees of it."""

from __future__ import annotations

from pathlib import Path

from tests.unit.sip.raw_peer import PEER, RawPeer
from voicegw.base.errors import RemoteProtocolError
from voicegw.base.ids import LegId
from voicegw.gateway.leg import SipLeg
from voicegw.sdp.codec_choice import DTMF, PCMA, PCMU
from voicegw.sip.events import InviteReceived

RFC_VECTORS = Path(__file__).resolve().parents[4] / "shared" / "vectors" / "sip"
OWN_VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "sip"

Reaction = int | str
"""The final status that the sender gets; or, where it gets nothing, the counter that tells of the message."""


def vectors(folder: Path, pattern: str = "*") -> dict[str, bytes]:
    """The messages of a folder by name; none where the folder is not there."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob(pattern))}


def reaction(data: bytes) -> Reaction:
    """What comes of ``data``. A call that is offered is answered as the gateway would, with 200 or a refusal."""
    peer = RawPeer()
    peer.agent.receive_datagram(data, PEER, peer.now)
    statuses = _statuses(peer)
    for event in list(peer.events):
        if isinstance(event, InviteReceived):
            _answer(peer, event)
            statuses += _statuses(peer)
    finals = [status for status in statuses if status >= 200]
    assert len(finals) <= 1, "one response for each request"
    if finals:
        return finals[0]
    (name,) = set(peer.counters.snapshot()) - {"sip_datagrams_received"}
    return name


def _answer(peer: RawPeer, event: InviteReceived) -> None:
    leg = SipLeg(LegId("leg"), event.handle, PEER, (PCMU, PCMA, DTMF), 1, event.body)
    leg.place_media("192.0.2.2", 4000)
    try:
        body = leg.answer(event.body)[0] if event.body else leg.offer()
    except RemoteProtocolError as error:
        peer.agent.reject(event.handle, error.status_hint, peer.now)
    else:
        peer.agent.accept(event.handle, body, peer.now)


def _statuses(peer: RawPeer) -> list[int]:
    """Read from the bytes: an answer to a broken header copies it, and would not pass our own parser."""
    return [int(data[8:11]) for data in peer.taken() if data.startswith(b"SIP/2.0 ")]
