"""Recording metadata: the forms of RFC 7865 and of drafts before it, updates, and documents that mean harm."""

from __future__ import annotations

import pytest

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.rs_metadata import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_ELEMENTS,
    MAX_KEPT,
    MAX_TEXT,
    Metadata,
    Participant,
    Session,
    Stream,
    StreamUse,
    parse_metadata,
)

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
ROOT = '<recording xmlns="urn:ietf:params:xml:ns:recording:1">'


def document(*inside: str, mode: str = "complete") -> bytes:
    return f"{HEAD}{ROOT}<datamode>{mode}</datamode>{''.join(inside)}</recording>".encode()


def participant(id: str, aor: str, name: str) -> str:
    return f'<participant participant_id="{id}"><nameID aor="{aor}"><name>{name}</name></nameID></participant>'


def stream(id: str, label: str) -> str:
    return f'<stream stream_id="{id}" session_id="cs"><label>{label}</label></stream>'


def use(id: str, sends: str, receives: str = "") -> str:
    heard = f"<recv>{receives}</recv>" if receives else ""
    return f'<participantstreamassoc participant_id="{id}"><send>{sends}</send>{heard}</participantstreamassoc>'


TWO = document(
    '<session session_id="cs"><sipSessionID>a1;remote=b2</sipSessionID><sipSessionID>c3</sipSessionID>'
    "<group-ref>g</group-ref><start-time>2026-03-03T10:00:00Z</start-time></session>",
    participant("p1", "sip:ann@example.com", "Ann"),
    participant("p2", "tel:+4930123", ""),
    stream("s1", "1"),
    stream("s2", "2"),
    use("p1", "s1", "s2"),
    use("p2", "s2", "s1"),
)


def test_a_whole_document() -> None:
    known = parse_metadata(TWO)
    assert known == Metadata(
        True,
        (Session("cs", ("a1;remote=b2", "c3"), "2026-03-03T10:00:00Z", "", "", "g"),),
        (Participant("p1", "sip:ann@example.com", "Ann"), Participant("p2", "tel:+4930123", "")),
        (Stream("s1", "cs", "1"), Stream("s2", "cs", "2")),
        (StreamUse("p1", ("s1",), ("s2",)), StreamUse("p2", ("s2",), ("s1",))),
    )
    assert [known.sender_of(label) for label in ("1", "2", "3", "")] == [*known.participants, None, None]


def test_a_partial_document_adds_and_replaces() -> None:
    later = parse_metadata(
        document(
            participant("p2", "tel:+4930123", "Ben"),
            participant("p3", "sip:cid@example.com", "Cid"),
            stream("s3", "3"),
            use("p3", "s3"),
            '<participantsessionassoc participant_id="p1" session_id="cs">'
            "<disassociate-time>2026-03-03T10:05:00Z</disassociate-time></participantsessionassoc>",
            mode="partial",
        )
    )
    known = parse_metadata(TWO).updated_by(later)
    assert [one.name for one in known.participants] == ["Ann", "Ben", "Cid"]
    assert [one.label for one in known.streams] == ["1", "2", "3"] and known.gone == ("p1",)
    assert known.sender_of("3") == Participant("p3", "sip:cid@example.com", "Cid")
    assert known.sessions[0].id == "cs"
    back = known.updated_by(parse_metadata(document(use("p1", "s1"), mode="partial")))
    assert back.gone == ()
    assert known.updated_by(parse_metadata(TWO)) == parse_metadata(TWO), "a complete one replaces it all"


def test_a_voice_that_is_let_go() -> None:
    gone = '<participantstreamassoc participant_id="p1"><send>s1</send><disassociate-time>x</disassociate-time>'
    later = parse_metadata(document(f"{gone}</participantstreamassoc>", mode="partial"))
    assert parse_metadata(TWO).updated_by(later).sender_of("1") is None


def test_two_voices_in_one_stream_are_nobody_in_particular() -> None:
    assert parse_metadata(document(stream("s", "1"), use("a", "s"), use("b", "s"))).sender_of("1") is None


def test_a_draft_of_before_the_rfc() -> None:
    """Participants of their own sessions, ids without a prefix, streams named by who sends them, extensions."""
    old = (
        '\r\n<?xml version="1.0"?><recording xmlns="urn:ietf:params:xml:ns:recording"'
        ' xmlns:ext="http://example.com/ext"><dataMode>complete</dataMode>'
        '<session id="cs"><associate-time>10:00</associate-time></session>'
        '<participant id="p" session="cs"><aor>sip:ann@example.com</aor><name>Ann</name><send>s</send>'
        "<ext:callingParty><name>Somebody else</name></ext:callingParty></participant>"
        '<stream id="s" session="cs"><label>7</label><mode>separate</mode></stream></recording>'
    )
    known = parse_metadata(old.encode())
    assert known.sender_of("7") == Participant("p", "sip:ann@example.com", "Ann")
    assert known.streams == (Stream("s", "cs", "7"),) and known.sessions[0].started == "10:00"


def test_values_are_on_one_line_and_printable() -> None:
    known = parse_metadata(
        document(participant("p", "sip:a@b", "An&#10;n\u202e  A &lt;b&gt;" + "x" * 2 * MAX_TEXT))
    )
    name = known.participants[0].name
    assert name.startswith("An n A <b>") and len(name) <= MAX_TEXT and name.isprintable()


@pytest.mark.parametrize(
    "harm",
    [
        b"",
        b"\0\0\0",
        b"<",
        b"not xml at all",
        b"<recording",
        b"<recording><session></recording>",
        b"<other/>",
        b'<recording xmlns="urn:example:other"/>',
        b"<recording/><recording/>",
        b'<?xml version="1.0" encoding="no-such"?><recording/>',
        b'<?xml version="1.0" encoding="utf-7"?><recording/>',
        b"<recording>\xff\xfe</recording>",
        b"<recording>&unknown;</recording>",
        b'<!DOCTYPE recording [<!ENTITY a "b">]><recording>&a;</recording>',
        b'<!DOCTYPE recording SYSTEM "file:///etc/passwd"><recording/>',
        b"<!DOCTYPE recording><recording/>",
        b"<recording>" + b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1) + b"</recording>",
        b"<recording>" + b"<a/>" * (MAX_ELEMENTS + 1) + b"</recording>",
        b"<recording>" + b" " * MAX_BYTES + b"</recording>",
        b'<recording a="1" a="2"/>',
        b"<x:recording/>",
    ],
)
def test_what_is_refused(harm: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_metadata(harm)


def test_an_expansion_bomb_costs_nothing() -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE recording [<!ENTITY e0 "ha">{levels}]><recording>&e9;</recording>'
    with pytest.raises(RemoteProtocolError, match="document type"):
        parse_metadata(bomb.encode())


def test_what_is_kept_is_bounded_over_all_updates() -> None:
    known = parse_metadata(TWO)
    for number in range(5):
        some = [participant(f"x{number}-{n}", "sip:a@b", "A") for n in range(50)]
        known = known.updated_by(parse_metadata(document(*some, mode="partial")))
    assert len(known.participants) == MAX_KEPT and known.participants[0].name == "Ann"
