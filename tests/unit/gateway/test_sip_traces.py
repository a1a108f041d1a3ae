"""What is kept of the signalling of a leg: which messages, how many, and nothing that must stay secret."""

from __future__ import annotations

import pytest

from voicegw.base.errors import ConfigError
from voicegw.base.ids import LegId
from voicegw.call.briefing import refer_headers
from voicegw.gateway.blotting import without_secrets, without_words
from voicegw.gateway.ladder_config import LadderConfig
from voicegw.gateway.sip_traces import SipTraces, Trace
from voicegw.gateway.trace_message import harmless
from voicegw.sip.address import Address, Transport
from voicegw.sip.replaces import ReferTarget

PEER, HERE = Address("192.0.2.9", 5080), Address("192.0.2.1", 5060)
LEG = LegId("leg")


class Line:
    """A tap on a line with one peer."""

    def __init__(self, **config: object) -> None:
        self.now = 0.0
        self.traces = SipTraces(LadderConfig(**config), lambda _peer: HERE, lambda: self.now)  # type: ignore[arg-type]

    def comes(self, start: str, cseq: str, call_id: str = "a@b", more: str = "", body: str = "") -> None:
        self.now += 0.1
        self.traces.received(message(start, cseq, call_id, more, body), PEER)

    def goes(self, start: str, cseq: str, call_id: str = "a@b", more: str = "", body: str = "") -> None:
        self.now += 0.1
        self.traces.sent(message(start, cseq, call_id, more, body), PEER)

    def taken(self, leg_id: LegId = LEG) -> Trace:
        trace = self.traces.take(leg_id)
        assert trace is not None
        return trace


def message(start: str, cseq: str, call_id: str, more: str, body: str) -> bytes:
    lines = [start, "Via: SIP/2.0/UDP host;branch=z9hG4bKa", f"Call-ID: {call_id}", f"CSeq: {cseq}"]
    return ("\r\n".join(filter(None, [*lines, more])) + "\r\n\r\n" + body).encode()


def answered(line: Line, call_id: str = "a@b") -> None:
    line.comes("INVITE sip:1@host SIP/2.0", "1 INVITE", call_id)
    line.traces.follow(LEG, call_id)
    line.goes("SIP/2.0 100 Trying", "1 INVITE", call_id)
    line.goes("SIP/2.0 200 OK", "1 INVITE", call_id)
    line.comes("ACK sip:1@host SIP/2.0", "1 ACK", call_id)


def test_every_message_of_a_call_is_kept_the_first_one_and_repetitions_as_well() -> None:
    line = Line()
    line.comes("INVITE sip:1@host SIP/2.0", "1 INVITE")
    line.comes("INVITE sip:1@host SIP/2.0", "1 INVITE")
    line.traces.follow(LEG, "a@b")
    line.goes("SIP/2.0 486 Busy Here", "1 INVITE", more='Reason: Q.850;cause=17;text="busy"')
    assert not line.traces.settled(LEG), "an ACK is owed"
    line.comes("ACK sip:1@host SIP/2.0", "1 ACK")
    assert line.traces.settled(LEG)
    line.comes("OPTIONS sip:host SIP/2.0", "1 OPTIONS", "other@b")
    found = line.taken().messages
    assert [(one.sent, one.start_line[:7], one.cseq, one.again) for one in found] == [
        (False, "INVITE ", "1 INVITE", False),
        (False, "INVITE ", "1 INVITE", True),
        (True, "SIP/2.0", "1 INVITE", False),
        (False, "ACK sip", "1 ACK", False),
    ]
    assert (found[0].peer, found[0].here, found[0].transport) == ("192.0.2.9:5080", "192.0.2.1:5060", "UDP")
    assert found[2].reason.startswith("Q.850;cause=17") and found[0].text == ""
    assert line.traces.take(LEG) is None, "it is told once"


def test_a_bye_is_owed_its_answer() -> None:
    line = Line()
    answered(line)
    line.goes("BYE sip:peer SIP/2.0", "2 BYE")
    assert not line.traces.settled(LEG)
    line.comes("SIP/2.0 401 Unauthorized", "2 BYE")
    line.goes("BYE sip:peer SIP/2.0", "3 BYE")
    line.comes("SIP/2.0 200 OK", "3 BYE")
    assert line.traces.settled(LEG)


def test_a_leg_of_ours_may_have_several_attempts_and_a_new_name() -> None:
    line = Line()
    for call_id in ("first@b", "second@b"):
        line.traces.follow(LEG, call_id)
        line.goes("INVITE sip:2@host SIP/2.0", "1 INVITE", call_id)
        line.comes("SIP/2.0 503 Service Unavailable", "1 INVITE", call_id)
    line.traces.rename(LEG, LegId("phone"))
    assert len(line.taken(LegId("phone")).messages) == 4


def test_a_long_call_keeps_its_beginning_and_its_end() -> None:
    line = Line(messages=10)
    answered(line)
    for number in range(2, 100):
        line.comes("OPTIONS sip:1@host SIP/2.0", f"{number} OPTIONS")
    line.comes("BYE sip:1@host SIP/2.0", "100 BYE")
    trace = line.taken()
    assert len(trace.messages) == 10 and trace.dropped == 4 + 98 + 1 - 10
    assert trace.messages[0].start_line.startswith("INVITE") and trace.messages[-1].cseq == "100 BYE"


def test_what_was_said_so_far_is_told_once_and_what_is_kept_stays_bounded() -> None:
    line = Line(messages=10)
    answered(line)
    first = line.traces.take_first(LEG)
    assert first is not None and [one.cseq for one in first.messages] == ["1 INVITE"] * 3 + ["1 ACK"]
    assert line.traces.take_first(LEG) is None
    for number in range(2, 30):
        line.comes("OPTIONS sip:1@host SIP/2.0", f"{number} OPTIONS")
    second = line.traces.take_first(LEG)
    assert second is not None and [one.cseq for one in second.messages] == ["2 OPTIONS"]
    assert line.traces.take_first(LEG) is None, "the rest is told at the end"
    last = line.taken()
    assert [one.cseq for one in last.messages] == [f"{number} OPTIONS" for number in range(25, 30)]
    assert last.dropped == 22
    assert line.traces.take_first(LEG) is None


def test_strangers_leave_nothing_behind() -> None:
    line = Line()
    for number in range(1000):
        line.comes("INVITE sip:1@host SIP/2.0", "1 INVITE", f"{number}@flood")
        line.comes("OPTIONS sip:1@host SIP/2.0", "1 OPTIONS", f"{number}@scan")
    line.comes("nonsense", "")
    assert len(line.traces._candidates) == 64 and not line.traces._legs
    for number in range(1000):
        line.traces.follow(LegId(f"l{number}"), f"{number}@refused")
        line.traces.ended(LegId(f"l{number}"))
    assert len(line.traces._legs) == 512 == len(line.traces._by_call_id)


SECRETS = (
    'Authorization: Digest username="u",\r\n response="abcdef"\r\n'
    "User-to-User: 04636172643D34313131\r\nSubject: a late order\r\nContent-Type: application/sdp"
)
SDP = "v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:geheim\r\nm=audio 4000 RTP/AVP 0\r\n"


def test_full_texts_have_no_secrets_and_are_bounded() -> None:
    line = Line(full_text=True, text_bytes=600)
    line.comes("INVITE sip:1@host SIP/2.0", "1 INVITE", more=SECRETS, body=SDP)
    line.traces.follow(LEG, "a@b")
    line.comes("INFO sip:1@host SIP/2.0", "2 INFO", more="Content-Type: application/dtmf-relay", body="Signal=4")
    line.comes("INFO sip:1@host SIP/2.0", "3 INFO", more="X-Long: " + "x" * 600)
    invite, info, long = line.taken().messages
    for secret in ("abcdef", "0463", "late order", "geheim", "Signal"):
        assert secret not in invite.text + info.text
    assert "m=audio 4000" in invite.text and "Authorization: [removed]" in invite.text
    assert "a=crypto:[removed]" in invite.text and info.text.endswith("[removed]")
    assert long.text == "" and long.cseq == "3 INFO"


def test_lines_that_end_in_a_line_feed_alone_hide_nothing() -> None:
    """Our parser takes them (RFC 4475 has peers that write so)."""
    lines = ["INVITE sip:a@b SIP/2.0", "Authorization: Digest", " response=geheim", "Subject: late", " order"]
    invite = "\n".join([*lines, "Content-Type: application/sdp", "", "v=0", "a=crypto:1 geheim", ""]).encode()
    info = b"INFO sip:a@b SIP/2.0\nContent-Type: application/dtmf-relay\n\nSignal=4\n"
    for message in (invite, info, b"\r\n\r\n" + invite, b"\n" + invite.replace(b"\n", b"\r\n")):
        seen = (without_words(message), harmless(message).encode(), without_secrets(message))
        assert not [one for one in seen if b"geheim" in one]
        assert not [one for one in seen[:2] if b"order" in one or b"Signal" in one]
        assert len(seen[0]) == len(seen[2]) == len(message)


def test_what_an_agent_tells_by_a_refer_is_not_seen_in_it() -> None:
    """Its words are in the URI there, as headers of the INVITE to come (RFC 3515 §2.1)."""
    target = str(ReferTarget("sip:desk@x.test", headers=refer_headers({"account": "4711"})))
    words = b"4711".hex()
    assert words in target
    for header in ("Refer-To", "r", "Refer-to "):
        message = f"REFER sip:a@b SIP/2.0\r\n{header}: {target}\r\nCall-ID: 1\r\n\r\n".encode()
        kept = without_words(message)
        assert words.encode() not in kept and len(kept) == len(message)
        assert b"sip:desk@x.test?" in kept and kept.endswith(b">\r\nCall-ID: 1\r\n\r\n")
        text = harmless(message)
        assert words not in text and "sip:desk@x.test?User-to-User=[removed]>\r\nCall-ID" in text


def test_a_transport_is_told_and_nothing_is_kept_where_nothing_is_wanted() -> None:
    line = Line()
    line.traces.received(
        message("INVITE sip:1@host SIP/2.0", "1 INVITE", "t@b", "", ""), Address("::1", 5061, Transport.TLS)
    )
    line.traces.follow(LEG, "t@b")
    assert (found := line.taken().messages[0]).transport == "TLS" and found.peer == "[::1]:5061"
    silent = Line(messages=0)
    answered(silent)
    assert silent.traces.take(LEG) is None and silent.traces.settled(LEG)


@pytest.mark.parametrize("wrong", [{"messages": 3}, {"messages": 9999}, {"text_bytes": -1}])
def test_what_cannot_work_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        LadderConfig(**wrong)  # type: ignore[arg-type]


def test_a_running_leg_goes_on_being_kept_when_others_are_not_any_more() -> None:
    line = Line()
    answered(line)
    line.traces.config = LadderConfig(messages=0)
    line.comes("BYE sip:1@host SIP/2.0", "2 BYE")
    assert not line.traces.settled(LEG)
    line.goes("SIP/2.0 200 OK", "2 BYE")
    assert line.traces.settled(LEG)
    line.comes("INVITE sip:1@host SIP/2.0", "1 INVITE", "c@b")
    line.traces.follow(LegId("later"), "c@b")
    assert len(line.taken().messages) == 6
    assert line.traces.take(LegId("later")) is None
