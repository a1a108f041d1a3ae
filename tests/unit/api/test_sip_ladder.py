"""The ladder of a call by HTTP: the messages themselves, as JSON and drawn."""

from __future__ import annotations

import struct
from dataclasses import replace

from tests.unit.api.rig import Rig
from voicegw.api.ladder import Ladder, Step, ladder
from voicegw.api.ladder_pcap import ladder_pcap
from voicegw.api.ladder_text import ladder_text
from voicegw.call.facts import Entry, SipStep, SipWasTraced

US, THEM, DESK = "192.0.2.1:5060", "192.0.2.9:5080", "10.0.0.7:5060"


def step(at_ms: float, start_line: str, cseq: str, *, sent: bool, peer: str = THEM, **more: object) -> SipStep:
    return SipStep(at_ms, sent, start_line, cseq, US, peer, "UDP", **more)  # type: ignore[arg-type]


CALLER = SipWasTraced(
    "caller",
    "",
    (
        step(0, "INVITE sip:100@192.0.2.1 SIP/2.0", "1 INVITE", sent=False),
        step(1, "SIP/2.0 100 Trying", "1 INVITE", sent=True),
        step(500, "INVITE sip:100@192.0.2.1 SIP/2.0", "1 INVITE", sent=False, again=True),
        step(900, "SIP/2.0 200 OK", "1 INVITE", sent=True),
        step(4000, "BYE sip:100@192.0.2.1 SIP/2.0", "2 BYE", sent=False, reason="Q.850;cause=16"),
    ),
    dropped=7,
)
CALLEE = SipWasTraced(
    "callee", "", (step(2000, "INVITE sip:desk@10.0.0.7 SIP/2.0", "1 INVITE", sent=True, peer=DESK),)
)


def test_the_legs_of_a_call_are_drawn_side_by_side() -> None:
    found = ladder([Entry(0, 0.0, CALLEE), Entry(1, 0.0, CALLER)])
    assert found.complete and found.dropped == 7
    assert [(one.at_ms, one.sender, one.receiver) for one in found.steps] == [
        (0, "caller", "voicegw"),
        (1, "voicegw", "caller"),
        (500, "caller", "voicegw"),
        (900, "voicegw", "caller"),
        (2000, "voicegw", "callee"),
        (4000, "caller", "voicegw"),
    ]
    lines = ladder_text(found).splitlines()
    columns = [at for at, character in enumerate(lines[1]) if character == "|"]
    assert len(columns) == 3 and all(line[at] == "|" for line in lines[1:7] for at in columns)
    assert "INVITE sip:100@192.0.2.1" in lines[1] and lines[1][columns[1] - 1] == ">" and "100 Trying" in lines[2]
    assert lines[2][columns[0] + 1] == "<" and lines[3].endswith("1 INVITE, UDP, again")
    assert lines[5][columns[1] + 1] == "-" and lines[5][columns[2] - 1] == ">"
    assert lines[6].endswith("2 BYE, UDP, Q.850;cause=16") and lines[7].startswith("7 messages")


def test_a_ladder_without_messages_says_so() -> None:
    assert "not kept" in ladder_text(ladder([]))


def test_a_capture_has_the_messages_whose_text_was_kept() -> None:
    places = {"sender_address": "[2001:db8::1]:5060", "receiver_address": "[2001:db8::2]:5061"}
    six = Step(250.5, "a", "b", "BYE", text="BYE", **places)
    four = replace(six, sender_address="192.0.2.1:5060", receiver_address="192.0.2.2:5061")
    named, untold = replace(six, sender_address="phone:5060"), replace(six, text="")
    made = ladder_pcap(Ladder((six, four, named, untold), complete=True), 1_700_000_000.0)
    assert made[:4] == b"\xd4\xc3\xb2\xa1" and len(made) == 24 + 16 + 40 + 8 + 3 + 16 + 20 + 8 + 3
    assert struct.unpack("<IIII", made[24:40]) == (1_700_000_000, 250_500, 51, 51)
    v6, v4 = made[40:91], made[107:]
    assert v6[0] >> 4 == 6 and v6[48:] == v4[28:] == b"BYE" and v4[0] == 0x45
    assert struct.unpack("!HH", v4[20:24]) == (5060, 5061)
    assert _sum(v4[:20]) == _sum(v6[8:40] + struct.pack("!II", 11, 17) + v6[40:]) == 0xFFFF


def _sum(data: bytes) -> int:
    """Ones' complement sum: all ones over what has a right checksum."""
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_by_http(rig: Rig) -> None:
    rig.user("ada", "admin")
    rig.call(1)
    folded = rig.get("/v1/calls/c1/ladder", "ada").json()
    assert not folded["complete"] and folded["steps"][0]["message"] == "INVITE"
    text = rig.get("/v1/calls/c1/ladder/text", "ada")
    assert text.headers["content-type"].startswith("text/plain") and "180 Ringing" in text.text
