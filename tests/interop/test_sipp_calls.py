"""sipp calls the server: signalling by the letter, and the sound of both sides."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.pcap import write_dtmf_pcap
from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sipp_peer import TOLD, Sipp
from tests.interop.sound import energy, seconds_with, silence, speech_seconds, tone, ulaw_encode

pytestmark = [pytest.mark.interop, pytest.mark.realtime]


def test_built_in_uac(server: Server, tmp_path: Path) -> None:
    """``sipp -sn uac``: five calls at once that hang up as soon as they are answered."""
    with Sipp(tmp_path, "-sn uac", target=server.address, calls=5) as sipp:
        sipp.passed()
    assert [log.cause for log in server.calls(5)] == ["caller_hangup"] * 5


def test_each_side_hears_the_other(server: Server, tmp_path: Path) -> None:
    with RtpPeer() as media:
        values = {"rtp_port": str(media.port), "hold_ms": TOLD}
        with Sipp(tmp_path, "uac", target=server.address, values=values) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), tone(1000, 60))
            server.wait_recorded(lambda caller, _agent: seconds_with(caller, 1000) >= 3)
            media.wait_heard(lambda heard: speech_seconds(heard) >= 2)
            sipp.tell()
            sipp.passed()
    caller, agent = server.recording(server.call())
    assert speech_seconds(media.heard()) >= 1.5
    assert speech_seconds(agent) >= 1.5
    assert seconds_with(caller, 1000) >= 3
    assert seconds_with(media.heard(), 1000) == 0


def test_sound_that_sipp_plays_is_recorded(server: Server, tmp_path: Path) -> None:
    sound = tmp_path / "tone.ulaw"
    sound.write_bytes(ulaw_encode(tone(1000, 3)))
    with Sipp(
        tmp_path, "uac_rtp_stream", target=server.address, values={"ulaw": str(sound), "hold_ms": TOLD}
    ) as sipp:
        server.wait_recorded(lambda caller, _agent: seconds_with(caller, 1000) >= 2)
        sipp.tell()
        sipp.passed()
    caller, _agent = server.recording(server.call())
    assert seconds_with(caller, 1000) >= 2


def test_keys_of_a_capture_arrive_once_each(server: Server, tmp_path: Path) -> None:
    pcap = write_dtmf_pcap(tmp_path / "keys.pcap", "1590*#")
    values = {"pcap": str(pcap), "before_ms": "1000", "after_ms": TOLD}
    with Sipp(tmp_path, "uac_dtmf", target=server.address, values=values) as sipp:
        server.wait_happened(lambda log: log.keys.endswith("#"), "the last key is there")
        sipp.tell()
        sipp.passed()
    assert server.call().keys == "1590*#"


def test_repeated_invite_is_one_call(server: Server, tmp_path: Path) -> None:
    with server.frozen():
        sipp = Sipp(tmp_path, "retransmission", target=server.address).started(sent=3)
    with sipp:
        sipp.passed()
    answers = sipp.received("SIP/2.0 200", "INVITE")
    assert len(answers) >= 2, "the 200 was not repeated while the ACK was missing"
    assert len({answer.text for answer in answers}) == 1
    assert server.call().cause == "caller_hangup"


def test_cancel_is_answered_487(server: Server, tmp_path: Path) -> None:
    with server.frozen():
        sipp = Sipp(tmp_path, "cancel", target=server.address).started(sent=2)
    with sipp:
        sipp.passed()
    assert server.call().cause == "caller_cancelled"


def test_cancel_after_the_answer_changes_nothing(server: Server, tmp_path: Path) -> None:
    with RtpPeer() as media:
        values = {"rtp_port": str(media.port), "hold_ms": TOLD}
        with Sipp(tmp_path, "cancel_late", target=server.address, values=values) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), tone(1000, 5))
            server.wait_recorded(lambda caller, _agent: seconds_with(caller, 1000) >= 1)
            media.wait_heard(lambda heard: speech_seconds(heard) >= 1)
            sipp.tell()
            sipp.passed()
    log = server.call()
    caller, _agent = server.recording(log)
    assert log.cause == "caller_hangup"
    assert seconds_with(caller, 1000) >= 1
    assert speech_seconds(media.heard()) >= 1


def test_hold_resume_and_unchanged_reinvite(server: Server, tmp_path: Path) -> None:
    lost_s = server.lost_s
    with RtpPeer() as media:
        values = {"rtp_port": str(media.port), "hold_ms": "2000", "resumed_ms": "1500"}
        with Sipp(tmp_path, "reinvite", target=server.address, values=values) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), silence(10))
            sipp.passed()
    first, held, resumed, unchanged = (_origin(answer.body) for answer in sipp.final_answers())
    assert first < held < resumed == unchanged
    (held, held_ms), (free, resumed_ms) = server.call().dated("CallWasHeld")
    assert [held["held"], free["held"]] == [True, False]
    stopped_s = (resumed_ms - held_ms) / 1000
    longer_s = media.longest_pause_s() - stopped_s
    assert -0.5 < longer_s < 0.5 + server.lost_s - lost_s, "media must stop as long as the call is held"


def test_refused_reinvite_leaves_the_call_as_it_was(server: Server, tmp_path: Path) -> None:
    lost_s = server.lost_s
    with RtpPeer() as media:
        values = {"rtp_port": str(media.port), "hold_ms": "3000"}
        with Sipp(tmp_path, "reinvite_refused", target=server.address, values=values) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), silence(10))
            sipp.passed()
    assert media.longest_pause_s() < 0.5 + server.lost_s - lost_s
    assert server.call().cause == "caller_hangup"


def test_delayed_offer(server: Server, tmp_path: Path) -> None:
    with RtpPeer() as media:
        values = {"rtp_port": str(media.port), "hold_ms": TOLD}
        with Sipp(tmp_path, "delayed_offer", target=server.address, values=values) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), tone(1000, 5))
            server.wait_recorded(lambda caller, _agent: seconds_with(caller, 1000) >= 2)
            media.wait_heard(lambda heard: speech_seconds(heard) >= 1)
            sipp.tell()
            sipp.passed()
    caller, _agent = server.recording(server.call())
    assert speech_seconds(media.heard()) >= 1
    assert seconds_with(caller, 1000) >= 2


def test_bye_with_a_wrong_tag(server: Server, tmp_path: Path) -> None:
    with Sipp(tmp_path, "bye_wrong_tag", target=server.address) as sipp:
        sipp.passed()
    assert server.call().cause == "caller_hangup"


def test_calls_survive_lost_messages(server: Server, tmp_path: Path) -> None:
    """sipp loses one message in ten, sent and received; retransmission must carry every call through.

    One of them talks for a while: no sound is lost with the messages.
    """
    options = ("-lost", "10", "-max_retrans", "12", "-r", "10")
    with RtpPeer() as media:
        values = {"rtp_port": str(media.port), "hold_ms": "6000"}
        with (
            Sipp(tmp_path, "uac", target=server.address, service="talker", values=values, extra=options) as talker,
            Sipp(tmp_path, "-sn uac", target=server.address, calls=10, timeout_s=60, extra=options) as sipp,
        ):
            media.start(("127.0.0.1", talker.answered_port()), tone(1000, 2))
            talker.passed()
            sipp.passed()
    server.calls(11, within_s=60)
    caller, _agent = server.recording(server.called("talker"))
    assert seconds_with(caller, 1000) >= 1.5
    assert speech_seconds(media.heard()) >= 1


def test_agent_hangs_up(tmp_path: Path) -> None:
    """The flow says goodbye and ends the call: all its words arrive before the BYE does."""
    with Server(tmp_path, agent="goodbye") as server, RtpPeer() as media:
        values = {"rtp_port": str(media.port), "hold_ms": "50000"}
        with Sipp(tmp_path, "uac_hung_up", target=server.address, values=values) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), silence(15))
            sipp.passed()
        log = server.call()
        assert log.cause == "agent_hangup"
        _caller, agent = server.recording(log)
    assert log.agent_said.endswith("Goodbye.")
    assert speech_seconds(agent) >= 2
    assert energy(media.heard()) == pytest.approx(energy(agent), rel=0.02)


def _origin(sdp: str) -> int:
    """The version of the session (RFC 8866 §5.2)."""
    line = next(line for line in sdp.splitlines() if line.startswith("o="))
    return int(line.split()[2])
