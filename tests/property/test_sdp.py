"""Any bytes: a description or RemoteProtocolError. Any offer: an answer that fits it, or 488."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from voicegw.base.errors import RemoteProtocolError
from voicegw.sdp.codec_choice import DTMF, PCMA, PCMU
from voicegw.sdp.codecs import STATIC_PAYLOAD_TYPES, Codec, codecs_of
from voicegw.sdp.crypto import CryptoLine, MasterKey, parse_line
from voicegw.sdp.description import Connection, MediaDescription, Origin, SessionDescription, parse, serialize
from voicegw.sdp.direction import DIRECTIONS
from voicegw.sdp.local_session import LocalSession
from voicegw.sdp.negotiate import NotAcceptable, accept_answer, make_answer, make_offer

OFFER = b"""v=0\r
o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1\r
s=Call\r
c=IN IP4 198.51.100.1\r
t=0 0\r
a=sendrecv\r
m=audio 49170 RTP/AVP 0 8 9 101\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-15\r
a=ptime:20\r
a=maxptime:150\r
m=video 51372/2 RTP/AVP 99\r
c=IN IP6 2001:db8::1\r
a=rtpmap:99 h263-1998/90000\r
"""
FRAGMENTS = [
    b"\r\n",
    b"\n",
    b"\0",
    b"4294967296",
    b"99999",
    b"-1",
    b"/",
    b":",
    b" ",
    b"\xb2",
    b"m=",
    b"a=",
    b"0.0.0.0",
]

number = st.integers(0, 127).map(str)
address = st.sampled_from(
    ["192.0.2.9", "0.0.0.0", "198.51.100.7", "host.example.com", "224.0.0.1", "255.255.255.255"]
)
attribute = st.one_of(
    st.sampled_from(
        [*((way, None) for way in DIRECTIONS), ("rtcp-mux", None), ("ptime", "30"), ("maxptime", "10")]
    ),
    st.tuples(
        st.just("rtpmap"),
        st.builds(
            "{} {}/{}".format,
            number,
            st.sampled_from(["PCMA", "opus", "telephone-event"]),
            st.sampled_from(["8000", "48000", "48000/2"]),
        ),
    ),
    st.tuples(st.just("fmtp"), st.builds("{} 0-16".format, number)),
    st.tuples(st.just("ptime"), st.text("0123456789.x", max_size=8)),
)
media = st.builds(
    MediaDescription,
    media=st.sampled_from(["audio", "audio", "video", "image"]),
    port=st.one_of(st.just(0), st.integers(1, 65535)),
    protocol=st.sampled_from(["RTP/AVP", "RTP/AVP", "RTP/SAVP", "RTP/AVPF"]),
    formats=st.lists(st.one_of(st.sampled_from(["0", "8", "101"]), number), min_size=1, max_size=5).map(tuple),
    connection=st.one_of(st.none(), address.map(Connection)),
    attributes=st.lists(attribute, max_size=5).map(tuple),
)
descriptions = st.builds(
    SessionDescription,
    origin=st.just(Origin("-", "1", "1", Connection("192.0.2.9"))),
    media=st.lists(media, max_size=4).map(tuple),
    connection=address.map(Connection),
    attributes=st.lists(attribute, max_size=2).map(tuple),
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Cut, repeat, overwrite and insert at random places of a sound offer."""
    data = OFFER
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 30)))
        middle = draw(
            st.one_of(st.just(b""), st.sampled_from(FRAGMENTS), st.binary(max_size=6), st.just(data[start:end] * 2))
        )
        data = data[:start] + middle + data[end:]
    return data


def parse_and_answer(data: bytes) -> None:
    """All that is done with a description that a peer sent."""
    try:
        description = parse(data)
        assert serialize(parse(serialize(description))) == serialize(description)
        make_answer(description, "192.0.2.1", 4000)
    except RemoteProtocolError:
        return


@given(st.binary(max_size=200))
@example(b"v=0")
@example(b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\n")
def test_any_bytes(data: bytes) -> None:
    parse_and_answer(data)


@given(mutated())
@settings(max_examples=400)
def test_mutated_descriptions(data: bytes) -> None:
    parse_and_answer(data)
    try:
        accept_answer(make_offer("192.0.2.1", 4000), parse(data))
    except RemoteProtocolError:
        return


@given(descriptions)
def test_written_and_read_again(description: SessionDescription) -> None:
    assert parse(serialize(description)) == description


@given(descriptions)
@settings(max_examples=300)
def test_an_answer_fits_its_offer(offer: SessionDescription) -> None:
    try:
        answer = make_answer(offer, "192.0.2.1", 4000)
    except NotAcceptable:
        return
    sections = answer.description.media
    assert [(section.media, section.protocol) for section in sections] == [
        (section.media, section.protocol) for section in offer.media
    ]
    live = [index for index, section in enumerate(sections) if section.port]
    assert len(live) == (1 if answer.session.remote_port else 0)
    for index in live:
        assert offer.media[index].port == answer.session.remote_port
        assert set(sections[index].formats) <= set(offer.media[index].formats)
        offered = {codec.payload_type: codec for codec in codecs_of(offer.media[index])}
        assert offered[answer.session.payload_type].name.upper() == answer.session.codec
    if answer.session.send:
        assert answer.session.remote_ip not in ("0.0.0.0", "224.0.0.1", "255.255.255.255")
        assert answer.session.remote_port


@given(
    st.lists(st.sampled_from([PCMU, PCMA, DTMF]), unique=True, min_size=1),
    st.lists(st.sampled_from([PCMU, PCMA, DTMF]), unique=True, min_size=1),
    st.sampled_from(DIRECTIONS),
    st.sampled_from(DIRECTIONS),
    st.integers(96, 127),
)
def test_both_ends_see_the_same_session(
    ours: list[Codec], theirs: list[Codec], one: str, other: str, dtmf_number: int
) -> None:
    offered = tuple(replace(kind, payload_type=dtmf_number) if kind == DTMF else kind for kind in ours)
    offer = make_offer("192.0.2.1", 4000, offered, direction=one)
    try:
        answer = make_answer(offer, "192.0.2.9", 6000, tuple(theirs), direction=other)
    except NotAcceptable:
        assert not set(ours) & set(theirs) - {DTMF}
        return
    mine = accept_answer(offer, answer.description)
    assert mine.codec == answer.session.codec
    assert (mine.send, mine.receive) == (answer.session.receive, answer.session.send)
    assert mine.payload_type == answer.session.receive_payload_type
    assert mine.dtmf_payload_type == answer.session.dtmf_receive_payload_type


@given(st.lists(st.sampled_from([*DIRECTIONS]), min_size=1, max_size=8))
def test_a_version_counts_changes(directions: list[str]) -> None:
    session = LocalSession(1)
    sent: list[SessionDescription] = []
    for way in directions:
        session, description = session.publish(make_offer("192.0.2.1", 4000, direction=way))
        sent.append(description)
    changes = sum(1 for before, after in pairwise(directions) if before != after)
    assert session.version == 1 + changes
    assert sent[-1].origin.version == str(session.version)


def test_the_static_table_holds_payload_types() -> None:
    assert all(0 <= payload_type < 96 for payload_type in STATIC_PAYLOAD_TYPES)


@given(
    st.text(max_size=200), st.sampled_from(["", "1 AES_CM_128_HMAC_SHA1_80 inline:", "1 AEAD_AES_128_GCM inline:"])
)
def test_any_crypto_line_is_read_or_passed_over(text: str, before: str) -> None:
    line = parse_line(before + text)
    if line is not None:
        bare = CryptoLine(line.tag, line.suite_name, MasterKey(line.key.suite, line.key.secret))
        assert parse_line(line.value) == bare
