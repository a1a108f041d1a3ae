"""sipp and our gateway before the answer: PRACK, UPDATE, early media, offers that come late; sound both ways."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.live_gateway import OUT, LiveGateway
from tests.interop.rtp import RtpPeer
from tests.interop.sipp_peer import TOLD, Sipp
from tests.interop.sound import seconds_with, tone
from voicegw.base.causes import HangupCause
from voicegw.gateway.events import (
    LegAnswered,
    LegConfirmed,
    LegEarlyMedia,
    LegEnded,
    LegInvited,
    LegMediaChanged,
)
from voicegw.sdp.negotiate import MediaSession
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

IP = "127.0.0.1"
OUR_HZ, THEIR_HZ = 1000, 1700
EARLY_S = 1.0


class Line:
    """Two ends of RTP: ours, which the gateway tells its peers, and the one of the peer that sipp plays."""

    def __init__(self, work: Path, gateway: LiveGateway, ours: RtpPeer, theirs: RtpPeer) -> None:
        self.work = work
        self.gateway = gateway
        self.ours = ours
        self.theirs = theirs

    def calls(self, scenario: str, **values: str) -> Sipp:
        """sipp calls the gateway."""
        given = {"rtp_port": str(self.theirs.port), "hold_ms": TOLD, "early_ms": TOLD} | values
        return Sipp(self.work, scenario, target=self.gateway.address, values=given)

    def called(self, scenario: str, *, delayed_offer: bool = False, **values: str) -> Sipp:
        """The gateway calls sipp."""
        given = {"rtp_port": str(self.theirs.port), "hold_ms": TOLD, "early_ms": TOLD} | values
        sipp = Sipp(self.work, scenario, port=free_port(), values=given).listening()
        self.gateway.dial(sipp.port, self.ours.port, delayed_offer=delayed_offer)
        return sipp

    def talk(self, session: MediaSession) -> None:
        """Sound in both directions from now on."""
        assert (session.remote_ip, session.remote_port) == (IP, self.theirs.port)
        self.ours.start((session.remote_ip, session.remote_port), tone(OUR_HZ, 60))
        self.theirs.start((IP, self.ours.port), tone(THEIR_HZ, 60))

    def heard(self, seconds: float) -> None:
        """Until each side has heard the other for so long; and nobody themselves."""
        self.theirs.wait_heard(lambda heard: seconds_with(heard, OUR_HZ) >= seconds)
        self.ours.wait_heard(lambda heard: seconds_with(heard, THEIR_HZ) >= seconds)
        assert seconds_with(self.theirs.heard(), THEIR_HZ) == 0


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with LiveGateway() as gateway, RtpPeer() as ours, RtpPeer() as theirs:
        yield Line(tmp_path, gateway, ours, theirs)


def invited(line: Line) -> LegInvited:
    return line.gateway.expect(LegInvited)


def early(line: Line, event: LegInvited) -> MediaSession | None:
    return line.gateway.do(lambda gateway: gateway.early(event.leg_id, IP, line.ours.port))


def accept(line: Line, event: LegInvited) -> MediaSession | None:
    return line.gateway.do(lambda gateway: gateway.accept(event.leg_id, IP, line.ours.port))


# ---------------------------------------------------------------- sipp calls


def test_a_caller_hears_us_before_the_answer_and_acknowledges_it(line: Line) -> None:
    with line.calls("uac_prack") as sipp:
        event = invited(line)
        session = early(line, event)
        assert session is not None
        line.talk(session)
        line.heard(EARLY_S)
        sipp.tell()
        changed = line.gateway.expect(LegEarlyMedia)
        assert changed.session == session, "an UPDATE with the same media"
        assert accept(line, event) == session
        line.gateway.expect(LegConfirmed)
        line.heard(EARLY_S + 1.0)
        sipp.tell()
        line.gateway.expect(LegMediaChanged)
        assert line.gateway.expect(LegEnded).cause is HangupCause.CALLER_HANGUP
        sipp.passed()
    assert "m=audio" not in sipp.wait_for("SIP/2.0 200", "INVITE").body


def test_an_offer_in_a_183_is_answered_in_the_prack(line: Line) -> None:
    with line.calls("uac_prack_offerless") as sipp:
        event = invited(line)
        assert not event.has_offer
        assert early(line, event) is None
        session = line.gateway.expect(LegEarlyMedia).session
        line.talk(session)
        line.heard(EARLY_S)
        assert accept(line, event) == session
        line.heard(EARLY_S + 1.0)
        sipp.tell()
        assert line.gateway.expect(LegEnded).cause is HangupCause.CALLER_HANGUP
        sipp.passed()


def test_an_offer_in_a_prack_is_answered_in_its_200(line: Line) -> None:
    with line.calls("uac_prack_offers") as sipp:
        event = invited(line)
        assert early(line, event) is not None
        session = line.gateway.expect(LegEarlyMedia).session
        assert accept(line, event) == session
        line.talk(session)
        line.heard(1.0)
        sipp.tell()
        assert line.gateway.expect(LegEnded).cause is HangupCause.CALLER_HANGUP
        sipp.passed()


def test_a_caller_that_never_acknowledges_is_refused(tmp_path: Path) -> None:
    with LiveGateway(t1_ms=50) as gateway:
        sipp = Sipp(tmp_path, "uac_prack_never", target=gateway.address, values={"rtp_port": "4000"})
        with sipp, RtpPeer() as ours:
            event = gateway.expect(LegInvited)
            gateway.do(lambda it: it.early(event.leg_id, IP, ours.port))
            ended = gateway.expect(LegEnded)
            sipp.passed()
    assert (ended.cause, ended.sip_status) == (HangupCause.NO_ACK, 504)


def test_a_cancel_behind_a_prack(line: Line) -> None:
    with line.calls("uac_prack_cancel") as sipp:
        event = invited(line)
        session = early(line, event)
        assert session is not None
        line.talk(session)
        assert line.gateway.expect(LegEnded).cause is HangupCause.CALLER_CANCELLED
        sipp.passed()


def test_an_offer_asked_for_in_mid_call(line: Line) -> None:
    with line.calls("uac_reinvite_offerless") as sipp:
        session = accept(line, invited(line))
        assert session is not None
        line.talk(session)
        line.gateway.expect(LegMediaChanged)
        line.heard(2.0)
        sipp.tell()
        assert line.gateway.expect(LegEnded).cause is HangupCause.CALLER_HANGUP
        sipp.passed()


def test_video_is_refused_in_its_place_and_stays_there(line: Line) -> None:
    with line.calls("uac_video") as sipp:
        session = accept(line, invited(line))
        assert session is not None
        line.talk(session)
        answer = sipp.wait_for("SIP/2.0 200", "INVITE")
        assert answer.header("Contact") == f"<sip:{line.gateway.address}>"
        assert {"UPDATE", "PRACK"} <= set(answer.header("Allow").split(", "))
        assert "100rel" in answer.header("Supported")
        line.gateway.expect(LegMediaChanged)
        line.heard(1.5)
        sipp.tell()
        line.gateway.expect(LegEnded)
        sipp.passed()


def test_fax_in_place_of_audio_is_refused_and_the_call_goes_on(line: Line) -> None:
    with line.calls("uac_t38") as sipp:
        session = accept(line, invited(line))
        assert session is not None
        line.talk(session)
        sipp.wait_for("SIP/2.0 488", "INVITE")
        line.heard(2.0)
        sipp.tell()
        assert line.gateway.expect(LegEnded).cause is HangupCause.CALLER_HANGUP
        sipp.passed()
    line.gateway.none_of(LegMediaChanged)


# ---------------------------------------------------------------- sipp is called


def test_reliable_responses_and_an_update_of_the_called_side(line: Line) -> None:
    with line.called("uas_prack") as sipp:
        session = line.gateway.expect(LegEarlyMedia).session
        line.talk(session)
        line.heard(EARLY_S)
        sipp.tell()
        line.gateway.expect(LegEarlyMedia)
        assert line.gateway.expect(LegAnswered).session == session
        hang_up_after(line, EARLY_S + 1.0)
        sipp.passed()


def test_a_180_after_a_183_leaves_the_early_media(line: Line) -> None:
    with line.called("uas_183") as sipp:
        session = line.gateway.expect(LegEarlyMedia).session
        line.talk(session)
        line.heard(EARLY_S)
        sipp.tell()
        assert line.gateway.expect(LegAnswered).session == session
        hang_up_after(line, EARLY_S + 1.0)
        sipp.passed()
    line.gateway.none_of(LegEarlyMedia)


def test_an_announcement_and_the_refusal_it_is_about(line: Line) -> None:
    with line.called("uas_183_refuses") as sipp:
        line.talk(line.gateway.expect(LegEarlyMedia).session)
        line.heard(EARLY_S)
        sipp.tell()
        ended = line.gateway.expect(LegEnded)
        sipp.passed()
    assert ended.sip_status == 404
    assert "Unallocated number" in ended.reason_text


def test_a_called_side_that_offers_in_its_200(line: Line) -> None:
    with line.called("uas_offerless", delayed_offer=True) as sipp:
        line.talk(line.gateway.expect(LegAnswered).session)
        hang_up_after(line, 1.0)
        sipp.passed()


def test_a_called_side_that_offers_in_a_183(line: Line) -> None:
    with line.called("uas_offerless_prack", delayed_offer=True) as sipp:
        session = line.gateway.expect(LegEarlyMedia).session
        line.talk(session)
        line.heard(EARLY_S)
        sipp.tell()
        assert line.gateway.expect(LegAnswered).session == session
        hang_up_after(line, EARLY_S + 1.0)
        sipp.passed()


def test_a_cancel_that_crosses_the_answer_ends_in_ack_and_bye(line: Line) -> None:
    with line.called("uas_answers_late") as sipp:
        sipp.wait_for("INVITE")
        time.sleep(0.3)
        line.gateway.do(lambda gateway: gateway.hangup(OUT, HangupCause.NO_ANSWER))
        assert line.gateway.expect(LegEnded).cause is HangupCause.NO_ANSWER
        sipp.passed()
    cancel = sipp.received("CANCEL")[0]
    assert cancel.header("Reason") == HangupCause.NO_ANSWER.reason_header


def hang_up_after(line: Line, seconds: float) -> None:
    """When each side has heard the other for so long."""
    line.heard(seconds)
    line.gateway.do(lambda gateway: gateway.hangup(OUT, HangupCause.AGENT_HANGUP))
    assert line.gateway.expect(LegEnded).cause is HangupCause.AGENT_HANGUP
