"""Reading and writing session descriptions."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from voicegw.base.errors import LocalError, RemoteProtocolError
from voicegw.sdp.description import Connection, connection_for, parse, serialize

FULL = b"""v=0
o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1
s=Call
i=about it
e=jane@example.com
c=IN IP4 198.51.100.1
b=AS:64
t=0 0
t=1 2
k=clear:x
a=recvonly
a=tool:x y: z
m=audio 49170 RTP/AVP 0 8 101
i=the audio
c=IN IP4 198.51.100.2
b=AS:32
a=rtpmap:101 telephone-event/8000
a=sendrecv
m=video 51372/2 RTP/AVP 99
a=rtpmap:99 h263-1998/90000
m=image 0 udptl t38
""".replace(b"\n", b"\r\n")


def test_every_field() -> None:
    description = parse(FULL)
    origin = description.origin
    assert (origin.username, origin.session_id, origin.version) == ("jdoe", "3724394400", "3724394405")
    assert description.name == "Call" and description.times == ("0 0", "1 2")
    assert description.other == ("i=about it", "e=jane@example.com", "b=AS:64", "k=clear:x")
    audio, video, image = description.media
    assert (audio.media, audio.port, audio.protocol, audio.formats) == (
        "audio",
        49170,
        "RTP/AVP",
        ("0", "8", "101"),
    )
    assert audio.other == ("i=the audio", "b=AS:32")
    assert video.port_count == 2 and video.is_rtp and not image.is_rtp
    assert description.connection_of(audio) == Connection("198.51.100.2")
    assert description.connection_of(video) == Connection("198.51.100.1")
    assert description.attribute_of(audio, "tool") == "x y: z"
    assert description.attribute_of(audio, "sendrecv") == ""
    assert description.attribute_of(audio, "ptime") is None


def test_written_as_it_was_read() -> None:
    assert serialize(parse(FULL)) == FULL


def test_bare_lf_missing_lines_and_odd_order_are_taken() -> None:
    description = parse(b"v=0\na=sendonly\nc=IN IP4 192.0.2.1\no=- 1 1 IN IP4 192.0.2.1\nm=audio 9 RTP/AVP 0\n\n")
    assert (description.name, description.times) == ("-", ("0 0",))
    assert description.attributes == (("sendonly", None),)
    assert parse(serialize(description)) == description


def test_first_of_repeated_lines_counts() -> None:
    origins = b"o=a 1 1 IN IP4 192.0.2.1\r\no=b 2 2 IN IP4 192.0.2.2\r\n"
    description = parse(b"v=0\r\n" + origins + b"c=IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.2\r\n")
    assert description.origin.username == "a"
    assert description.connection == Connection("192.0.2.1")


def test_user_names_with_spaces_and_lower_case_networks() -> None:
    description = parse(b"v=0\no=John Doe 1 1 in ip4 192.0.2.1\nc=in ip6 2001:db8::1\n")
    assert description.origin.username == "John Doe"
    assert description.connection == Connection("2001:db8::1", "IP6")


def test_addresses() -> None:
    assert str(Connection("224.2.1.1/127/3").ip) == "224.2.1.1"
    assert Connection("host.example.com").ip is None
    assert str(Connection("fe80::1%eth0", "IP6").ip) == "fe80::1"
    assert connection_for("2001:db8::1") == Connection("2001:db8::1", "IP6")
    with pytest.raises(LocalError):
        connection_for("host.example.com")


HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("\r\n", 400),
        ("hello", 400),
        ("v=1\r\n", 400),
        ("v=0\r\n", 400),
        ("v=0\r\no=- 1 1 IN IP4\r\n", 400),
        ("v=0\r\no=- 1 1 ATM NSAP x\r\n", 400),
        (HEAD + "testing=123\r\n", 400),
        (HEAD + "A=x\r\n", 400),
        (HEAD + "a=x\0y\r\n", 400),
        (HEAD + "m=audio 5000 RTP/AVP 0\r\nc=IN IP4\r\n", 400),
        (HEAD + "m=audio\r\n", 400),
        (HEAD + "m=audio x RTP/AVP 0\r\n", 400),
        (HEAD + "m=audio -1 RTP/AVP 0\r\n", 400),
        (HEAD + "m=audio 5000 RTP/AVP\r\n", 400),
        (HEAD + "m=audio 99999 RTP/AVP 0\r\n", 488),
        (HEAD + "m=audio 5000/0 RTP/AVP 0\r\n", 488),
        (HEAD + "m=audio 5000 RTP/AVP 4294967296\r\n", 488),
        (HEAD + "m=audio 5000 RTP/AVP 128\r\n", 488),
        (HEAD + "m=audio 5000 RTP/SAVP x\r\n", 488),
        (HEAD + "m=audio 5000 RTP/AVP" + " 0" * 129, 488),
        (HEAD + "m=video 0 RTP/AVP 31\r\n" * 33, 488),
        (HEAD + "a=x\r\n" * 1_000, 488),
    ],
)
def test_refused(body: str, status: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse(body.encode("latin-1"))
    assert caught.value.status_hint == status


def test_line_breaks_are_never_written() -> None:
    with pytest.raises(LocalError):
        serialize(replace(parse(FULL), name="x\r\na=evil"))
    with pytest.raises(LocalError):
        serialize(replace(parse(FULL), attributes=(("tool", "x\ny"),)))
