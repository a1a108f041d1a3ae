"""Where RTCP goes by what two descriptions say (RFC 3605, RFC 5761)."""

from __future__ import annotations

import pytest

from voicegw.sdp.description import SessionDescription, parse
from voicegw.sdp.negotiate import accept_answer, make_answer, make_offer
from voicegw.sdp.reports import NEXT_PORT, ReportPlace


def description(*attributes: str) -> SessionDescription:
    lines = ["v=0", "o=x 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", "m=audio 5000 RTP/AVP 0"]
    return parse("".join(f"{line}\r\n" for line in (*lines, *attributes)).encode())


@pytest.mark.parametrize(
    ("attributes", "place"),
    [
        ((), NEXT_PORT),
        (("a=rtcp-mux",), ReportPlace(mux=True)),
        (("a=rtcp:5000", "a=rtcp-mux"), ReportPlace(mux=True)),
        (("a=rtcp:6001",), ReportPlace(ip="192.0.2.1", port=6001)),
        (("a=rtcp:6001 IN IP4 192.0.2.5",), ReportPlace(ip="192.0.2.5", port=6001)),
        (("a=rtcp:6001 IN IP6 2001:DB8::5",), ReportPlace(ip="2001:db8::5", port=6001)),
        (("a=rtcp:0",), NEXT_PORT),
        (("a=rtcp:99999",), NEXT_PORT),
        (("a=rtcp:6001 IN IP4 host.example",), NEXT_PORT),
        (("a=rtcp:6001 IN IP4 0.0.0.0",), NEXT_PORT),
        (("a=rtcp:6001 IN IP4 224.0.0.1",), NEXT_PORT),
        (("a=rtcp",), NEXT_PORT),
    ],
)
def test_an_offer_says_where(attributes: tuple[str, ...], place: ReportPlace) -> None:
    answer = make_answer(description(*attributes), "192.0.2.9", 6000)
    assert answer.session.reports == place
    assert (answer.description.media[0].attribute("rtcp-mux") is not None) is place.mux


def test_one_port_for_both_is_offered_and_needs_to_be_answered() -> None:
    offer = make_offer("192.0.2.9", 6000)
    assert offer.media[0].attribute("rtcp-mux") is not None
    assert accept_answer(offer, description("a=rtcp-mux")).reports == ReportPlace(mux=True)
    assert accept_answer(offer, description("a=rtcp:6001")).reports == ReportPlace(ip="192.0.2.1", port=6001)
    assert accept_answer(offer, description()).reports == NEXT_PORT


def test_nobody_may_answer_it_who_was_not_offered_it() -> None:
    offer = description()
    assert accept_answer(offer, description("a=rtcp-mux")).reports == NEXT_PORT
