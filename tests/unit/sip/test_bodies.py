from __future__ import annotations

import pytest

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.bodies import MAX_PARTS, content_type, sdp_body
from voicegw.sip.message import Headers, Request

SDP = b"v=0\r\n"


def message(body: bytes, *headers: tuple[str, str]) -> Request:
    return Request("INVITE", "sip:x@y", Headers(headers), body)


def parts(*kinds: str, boundary: str = "b") -> bytes:
    texts = [f"--{boundary}\r\n{kind}\r\n\r\nbody {n}\r\n" for n, kind in enumerate(kinds)]
    return ("".join(texts) + f"--{boundary}--\r\n").encode()


def mixed(body: bytes, parameters: str = ";boundary=b") -> Request:
    return message(body, ("Content-Type", f"multipart/mixed{parameters}"))


def test_plain_bodies() -> None:
    assert sdp_body(message(b"")) == b""
    assert sdp_body(message(SDP)) == SDP
    assert sdp_body(message(SDP, ("c", "Application/SDP ; charset=utf-8"))) == SDP
    assert sdp_body(message(b"", ("Content-Type", "text/plain"))) == b""


def test_the_first_sdp_part_is_taken_and_the_others_are_left() -> None:
    kinds = ("Content-Type: application/isup", "C : application/sdp", "Content-Type: application/sdp")
    assert sdp_body(mixed(parts(*kinds))) == b"body 1"
    assert sdp_body(mixed(parts(*kinds, boundary="a b"), '; boundary="a b"')) == b"body 1"
    assert sdp_body(mixed(b"preamble\r\n" + parts(kinds[1]))) == b"body 0"
    assert sdp_body(mixed(parts(kinds[0]))) == b""


def test_only_so_many_parts_are_looked_at() -> None:
    body = parts(*["Content-Type: text/plain"] * (MAX_PARTS + 1), "Content-Type: application/sdp")
    assert sdp_body(mixed(body)) == b""


@pytest.mark.parametrize("parameters", ["", ";boundary", ";boundary=", f";boundary={'x' * 71}"])
def test_a_multipart_body_needs_a_boundary(parameters: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        sdp_body(mixed(parts("Content-Type: application/sdp"), parameters))
    assert caught.value.status_hint == 400


def test_what_we_would_have_to_understand_is_415_and_what_is_optional_is_ignored() -> None:
    text = ("Content-Type", "text/plain")
    for headers in ((text,), (("Content-Encoding", "gzip"),)):
        with pytest.raises(RemoteProtocolError) as caught:
            sdp_body(message(b"x", *headers))
        assert caught.value.status_hint == 415
    assert sdp_body(message(b"x", text, ("Content-Disposition", "render ; handling = optional"))) == b""


def test_media_types_are_compared_in_lower_case_without_parameters() -> None:
    assert content_type(Headers([("Content-Type", " Application/DTMF-Relay;x=y")])) == "application/dtmf-relay"
    assert content_type(Headers()) == ""
