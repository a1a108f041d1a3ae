"""Callers who are put through to a desk: sipp and baresip take the call, refuse it, let it ring or hang up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.interop.baresip_peer import Baresip, Step, dial, hang_up, listen, press
from tests.interop.namespace import Namespace
from tests.interop.rtp import RtpPeer
from tests.interop.server import CallLog, Server
from tests.interop.sipp_peer import TOLD, Sipp
from tests.interop.sound import FRAME, RATE_HZ, Samples, seconds_with, silence, speech_seconds, tone
from voicegw.audio import wav
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

CALLER_HZ, DESK_HZ, RINGING_HZ, MUSIC_HZ = 1000, 1700, 425, 700
MUSIC_PEAK = 8000


class Desk:
    """The port that the server calls, and a server that puts every caller through to it."""

    def __init__(
        self, work: Path, kind: str = "bridged", *, agent: str = "put_through", **settings: float | str
    ) -> None:
        self.port = free_port()
        target = {"name": "desk", "uri": f"sip:desk@127.0.0.1:{self.port}", "kind": kind}
        section = {"targets": [target], **settings}
        self.server = Server(work, agent=agent, settings={"transfer": section})
        self._work = work

    def sipp(self, scenario: str, **values: str) -> Sipp:
        """What happens at the desk."""
        return Sipp(self._work, scenario, port=self.port, values=values)

    def caller(self, scenario: str, media: RtpPeer, **values: str) -> Sipp:
        """Who calls the server; their media is ``media``."""
        given = {"rtp_port": str(media.port), "hold_ms": "50000"} | values
        return Sipp(self._work, scenario, target=self.server.address, values=given)


def steps(log: CallLog) -> list[str]:
    return [str(fact["step"]) for fact in log.all("TransferHasProgressed")]


def talk(here: RtpPeer, there: RtpPeer, seconds: float) -> None:
    """Until each has heard the other for so long."""
    here.wait_heard(lambda heard: seconds_with(heard, DESK_HZ) >= seconds)
    there.wait_heard(lambda heard: seconds_with(heard, CALLER_HZ) >= seconds)


def test_caller_and_desk_hear_one_another_until_the_desk_hangs_up(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with desk.server as server, RtpPeer() as here, RtpPeer() as there:
        with (
            desk.sipp("target_hangs_up", rtp_port=str(there.port), after_ms=TOLD) as target,
            desk.caller("uac_hung_up", here) as caller,
        ):
            here.start(("127.0.0.1", caller.answered_port()), tone(CALLER_HZ, 60))
            invite = target.wait_for("INVITE")
            there.start(_media_of(invite.body), tone(DESK_HZ, 60))
            talk(here, there, 3)
            server.wait_recorded(lambda _said, sent: seconds_with(sent, DESK_HZ) >= 3)
            target.tell()
            caller.passed()
            target.passed()
        log = server.call()
        said, sent = server.recording(log)
    assert invite.header("Subject") == "" and "sipp" in invite.header("From")
    assert steps(log) == ["dialled", "ringing", "answered"]
    assert log.cause == "callee_hangup"
    assert seconds_with(here.heard(), DESK_HZ) >= 3
    assert seconds_with(here.heard(), CALLER_HZ) == 0
    assert seconds_with(there.heard(), CALLER_HZ) >= 3
    assert seconds_with(there.heard(), DESK_HZ) == 0
    assert seconds_with(sent, DESK_HZ) >= 3, "the recording goes on"
    assert seconds_with(said, CALLER_HZ) >= 3


def test_the_caller_hears_what_the_desk_plays_before_it_answers(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with desk.server as server, RtpPeer() as here, RtpPeer() as there:
        with (
            desk.sipp("uas_183", rtp_port=str(there.port), early_ms=TOLD) as target,
            desk.caller("uac", here, hold_ms=TOLD) as caller,
        ):
            here.start(("127.0.0.1", caller.answered_port()), tone(CALLER_HZ, 60))
            there.start(_media_of(target.wait_for("INVITE").body), tone(DESK_HZ, 60))
            here.wait_heard(lambda heard: seconds_with(heard, DESK_HZ) >= 2)  # before the answer
            target.tell()
            there.wait_heard(lambda heard: seconds_with(heard, CALLER_HZ) >= 1)
            caller.tell()
            caller.passed()
            target.passed()
        log = server.call()
    assert steps(log) == ["dialled", "ringing", "early_media", "answered"]


def test_the_caller_hears_why_a_desk_cannot_be_reached(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with desk.server as server, RtpPeer() as here, RtpPeer() as there:
        with (
            desk.sipp("uas_183_refuses", rtp_port=str(there.port), early_ms=TOLD) as target,
            desk.caller("uac_hung_up", here) as caller,
        ):
            here.start(("127.0.0.1", caller.answered_port()), silence(20))
            there.start(_media_of(target.wait_for("INVITE").body), tone(DESK_HZ, 60))
            here.wait_heard(lambda heard: seconds_with(heard, DESK_HZ) >= 1.5)
            target.tell()
            target.passed()
            caller.passed()
        log = server.call()
    assert "Nobody can take your call." in log.agent_said


@pytest.mark.parametrize(("status", "reason"), [("486 Busy Here", "busy"), ("603 Decline", "refused")])
def test_a_desk_that_refuses_sends_the_caller_back(tmp_path: Path, status: str, reason: str) -> None:
    desk = Desk(tmp_path)
    with desk.server as server, RtpPeer() as here:
        with desk.sipp("target_refuses", status=status) as target, desk.caller("uac_hung_up", here) as caller:
            here.start(("127.0.0.1", caller.answered_port()), silence(20))
            caller.passed()
            target.passed()
        log = server.call()
    assert log.one("TransferHasFailed")["reason"] == reason
    assert "Nobody can take your call." in log.agent_said
    assert speech_seconds(here.heard()) >= 2
    assert log.cause == "agent_hangup"


def test_a_desk_that_nobody_answers_is_cancelled(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ring_s=4.0)
    with desk.server as server, RtpPeer() as here:
        with desk.sipp("target_rings") as target, desk.caller("uac_hung_up", here) as caller:
            here.start(("127.0.0.1", caller.answered_port()), silence(20))
            caller.passed()
            target.passed()
        log = server.call()
    assert log.one("TransferHasFailed")["reason"] == "no_answer"
    assert "Nobody can take your call." in log.agent_said
    assert seconds_with(here.heard(), RINGING_HZ) >= 0.3


def test_the_caller_hears_music_and_hangs_up_while_it_rings(tmp_path: Path) -> None:
    (tmp_path / "music.wav").write_bytes(wav.make(RATE_HZ, tone(MUSIC_HZ, 2)))
    desk = Desk(tmp_path, music=str(tmp_path / "music.wav"), connecting="")
    with desk.server as server, RtpPeer() as here:
        with desk.sipp("target_rings") as target, desk.caller("uac", here, hold_ms=TOLD) as caller:
            here.start(("127.0.0.1", caller.answered_port()), silence(20))
            here.wait_heard(lambda heard: seconds_with(heard, MUSIC_HZ) >= 0.5)
            caller.tell()
            caller.passed()
            target.passed()
        log = server.call()
    assert log.one("TransferHasFailed")["reason"] == "caller_gone"
    assert log.cause == "caller_hangup"
    assert seconds_with(here.heard(), RINGING_HZ) == 0


def test_an_attended_desk_hears_a_summary_and_takes_the_call(tmp_path: Path) -> None:
    desk = Desk(tmp_path, kind="attended", accept_s=0.5)
    with desk.server as server, RtpPeer() as here, RtpPeer() as there:
        with (
            desk.sipp("target_answers", rtp_port=str(there.port)) as target,
            desk.caller("uac", here, hold_ms=TOLD) as caller,
        ):
            here.start(("127.0.0.1", caller.answered_port()), tone(CALLER_HZ, 60))
            there.start(_media_of(target.wait_for("INVITE").body), silence(20))
            there.wait_heard(lambda heard: seconds_with(heard, CALLER_HZ) >= 1)
            server.wait_happened(lambda log: bool(log.all("CallerWasConnected")), "the caller is connected")
            caller.tell()
            caller.passed()
            target.passed()
        log = server.call()
    assert steps(log) == ["dialled", "ringing", "answered", "briefed"]
    heard = there.heard()
    connected = next(end for end in range(0, len(heard), 5 * FRAME) if seconds_with(heard[:end], CALLER_HZ))
    assert speech_seconds(heard[:connected]) >= 3, "the desk hears the caller after the summary only"
    assert speech_seconds(heard[connected:]) <= 0.2
    assert log.one("CallerWasConnected")["target"] == "desk"


def test_an_attended_desk_refuses_by_key(tmp_path: Path) -> None:
    desk = Desk(tmp_path, kind="attended")
    with desk.server as server, RtpPeer() as here, RtpPeer() as there:
        with (
            desk.sipp("target_answers", rtp_port=str(there.port)) as target,
            desk.caller("uac_hung_up", here) as caller,
        ):
            here.start(("127.0.0.1", caller.answered_port()), silence(20))
            place = _media_of(target.wait_for("INVITE").body)
            target.wait_for("ACK")
            there.start(place, silence(20), digits="2")
            caller.passed()
            target.passed()
        log = server.call()
    assert log.one("TransferHasFailed")["reason"] == "refused"
    assert "Nobody can take your call." in log.agent_said


def test_an_attended_desk_hangs_up_during_the_summary(tmp_path: Path) -> None:
    desk = Desk(tmp_path, kind="attended")
    with desk.server as server, RtpPeer() as here, RtpPeer() as there:
        with (
            desk.sipp("target_hangs_up", rtp_port=str(there.port), after_ms=TOLD) as target,
            desk.caller("uac_hung_up", here) as caller,
        ):
            here.start(("127.0.0.1", caller.answered_port()), silence(20))
            there.wait_heard(lambda heard: speech_seconds(heard) >= 0.5)
            target.tell()
            caller.passed()
            target.passed()
        log = server.call()
    assert log.one("TransferHasFailed")["reason"] == "hung_up"
    assert "Nobody can take your call." in log.agent_said


def test_the_caller_hangs_up_during_the_summary(tmp_path: Path) -> None:
    desk = Desk(tmp_path, kind="attended")
    with desk.server as server, RtpPeer() as here, RtpPeer() as there:
        with (
            desk.sipp("target_answers", rtp_port=str(there.port)) as target,
            desk.caller("uac", here, hold_ms=TOLD) as caller,
        ):
            here.start(("127.0.0.1", caller.answered_port()), silence(20))
            there.wait_heard(lambda heard: speech_seconds(heard) >= 0.5)
            caller.tell()
            caller.passed()
            target.passed()
        log = server.call()
    assert log.one("TransferHasFailed")["reason"] == "caller_gone"


@pytest.mark.parametrize(("final", "moved"), [("200 OK", True), ("486 Busy Here", False)])
def test_a_refer_is_followed_to_its_end(tmp_path: Path, final: str, moved: bool) -> None:
    desk = Desk(tmp_path, kind="blind")
    with desk.server as server, RtpPeer() as here:
        with desk.caller("uac_referred", here, final=final, thinks_ms="1000") as caller:
            here.start(("127.0.0.1", caller.answered_port()), silence(20))
            refer = caller.wait_for("REFER")
            caller.passed()
        log = server.call()
    assert refer.header("Refer-To") == f"<sip:desk@127.0.0.1:{desk.port}>"
    assert log.cause == ("transferred" if moved else "agent_hangup")
    assert bool(log.all("CallerWasMoved")) is moved
    assert ("Nobody can take your call." in log.agent_said) is not moved
    assert speech_seconds(here.heard()) >= (0.5 if moved else 2)


def test_a_refer_says_what_the_caller_pressed(tmp_path: Path) -> None:
    """The other side is to write it into its own INVITE (RFC 7433 §4)."""
    desk = Desk(tmp_path, kind="blind", agent="keys_to_desk")
    with desk.server as server, RtpPeer() as here:
        with desk.caller("uac_referred", here, final="200 OK", thinks_ms=TOLD) as caller:
            here.start(("127.0.0.1", caller.answered_port()), tone(CALLER_HZ, 60), digits="427")
            refer = caller.wait_for("REFER")
            server.wait_recorded(lambda said, _sent: seconds_with(said, CALLER_HZ) >= 0.3)
            caller.tell()
            caller.passed()
        log = server.call()
        said, _sent = server.recording(log)
    uri, _, headers = refer.header("Refer-To").strip("<>").partition("?")
    assert uri == f"sip:desk@127.0.0.1:{desk.port}"
    name, _, value = unquote(headers).partition("=")
    assert (name, bytes.fromhex(value.partition(";")[0])) == ("User-to-User", b"\x04order=427;")
    assert log.cause == "transferred"
    assert seconds_with(said, CALLER_HZ) >= 0.3
    assert speech_seconds(here.heard()) >= 0.3


def test_where_refer_is_refused_the_desk_is_called(tmp_path: Path) -> None:
    desk = Desk(tmp_path, kind="blind")
    with desk.server as server, RtpPeer() as here, RtpPeer() as there:
        with (
            desk.sipp("target_hangs_up", rtp_port=str(there.port), after_ms=TOLD) as target,
            desk.caller("uac_refer_refused", here, status="405 Method Not Allowed") as caller,
        ):
            here.start(("127.0.0.1", caller.answered_port()), tone(CALLER_HZ, 60))
            there.start(_media_of(target.wait_for("INVITE").body), tone(DESK_HZ, 60))
            talk(here, there, 0.8)
            target.tell()
            caller.passed()
            target.passed()
        log = server.call()
    assert steps(log) == ["refer_refused", "dialled", "ringing", "answered"]
    assert log.cause == "callee_hangup"


def test_baresip_is_put_through_to_baresip(tmp_path: Path, namespace: Namespace) -> None:
    with (
        Baresip(tmp_path, namespace, tone(DESK_HZ, 60)) as target,
        Baresip(tmp_path, namespace, tone(CALLER_HZ, 60)) as caller,
    ):
        known = {"name": "desk", "uri": f"sip:bare@{namespace.address}:{target.port}"}
        settings = {"transfer": {"targets": [known]}}
        with Server(tmp_path, agent="put_through", namespace=namespace, settings=settings) as server:
            caller.do(dial(server.uri))
            server.wait_recorded(lambda _said, sent: seconds_with(sent, DESK_HZ) >= 3)
            caller.do(hang_up())
            log = server.call()
    assert log.cause == "caller_hangup"
    assert log.all("CallerWasConnected")
    assert seconds_with(caller.heard(), DESK_HZ) >= 2
    assert seconds_with(target.heard(), CALLER_HZ) >= 2
    assert seconds_with(caller.heard(), CALLER_HZ) == 0


def test_a_183_without_sound_leaves_the_caller_our_ringing_tone(tmp_path: Path, namespace: Namespace) -> None:
    """baresip describes early media, and sends none before it answers (RFC 3960 §3.2)."""
    early = f"<sip:bare@{namespace.address}>;regint=0;answermode=early"
    with (
        Baresip(tmp_path, namespace, tone(DESK_HZ, 60), account=early) as target,
        Baresip(tmp_path, namespace, tone(CALLER_HZ, 60)) as caller,
        ThreadPoolExecutor(1) as desk,
    ):
        known = {"name": "desk", "uri": f"sip:bare@{namespace.address}:{target.port}"}
        settings = {"transfer": {"targets": [known], "connecting": ""}}
        with Server(tmp_path, agent="put_through", namespace=namespace, settings=settings) as server:
            answering = desk.submit(target.do, [Step(wait="CALL_RTPESTAB"), *listen(3), Step("accept")])
            caller.do(dial(server.uri))
            answering.result(90)
            server.wait_recorded(lambda _said, sent: seconds_with(sent, DESK_HZ) >= 2)
            caller.do(hang_up())
            log = server.call()
    assert steps(log) == ["dialled", "ringing", "answered"]
    assert seconds_with(caller.heard(), RINGING_HZ) >= 0.8
    assert seconds_with(caller.heard(), DESK_HZ) >= 1
    assert seconds_with(target.heard(), CALLER_HZ) >= 1


def test_music_rises_makes_room_for_words_and_ends_with_them(tmp_path: Path, namespace: Namespace) -> None:
    """As baresip hears it: while the desk rings, while it is told of the caller, and when it takes the call."""
    (tmp_path / "music.wav").write_bytes(wav.make(RATE_HZ, tone(MUSIC_HZ, 20)))
    slow = f"<sip:bare@{namespace.address}>;regint=0;answermode=manual"
    with (
        Baresip(tmp_path, namespace, tone(DESK_HZ, 60), account=slow) as target,
        Baresip(tmp_path, namespace, tone(CALLER_HZ, 60)) as caller,
        ThreadPoolExecutor(1) as desk,
    ):
        known = {"name": "desk", "uri": f"sip:bare@{namespace.address}:{target.port}", "kind": "attended"}
        settings = {"transfer": {"targets": [known], "connecting": "", "music": str(tmp_path / "music.wav")}}
        with Server(tmp_path, agent="put_through", namespace=namespace, settings=settings) as server:
            answering = desk.submit(target.do, [Step(wait="CALL_INCOMING"), *listen(1.5), Step("accept")])
            caller.do(dial(server.uri))
            answering.result(90)
            server.wait_recorded(lambda _said, sent: _is_loud_again(sent))
            target.do(press("1"))
            server.wait_recorded(lambda _said, sent: seconds_with(sent, DESK_HZ) >= 1.5)
            target.do(hang_up())
            log = server.call()
    assert {fact["to"] for fact in log.all("AnnouncementWasMade")} == {"caller", "target"}
    levels = _levels(caller.heard(), MUSIC_HZ) / MUSIC_PEAK
    whole = np.flatnonzero(levels > 0.95)
    rise = int(whole[0] - np.flatnonzero(levels[: whole[0]] < 0.05)[-1])
    assert 6 <= rise <= 12, "frames: it takes 200 ms"
    under = levels[whole[0] : whole[-1]]
    low = np.flatnonzero(under < 0.5)
    assert len(low) >= 50 and np.median(under[low]) == pytest.approx(10 ** (-15 / 20), abs=0.07)
    assert np.abs(np.diff(under)).max() < 0.6, "down and up again in some frames"
    assert np.count_nonzero(whole > whole[0] + low[-1]) >= 10, "it is as loud again"
    assert levels[whole[-1] + 3 :].max() < 0.1, "and over when the desk takes the call"
    assert seconds_with(caller.heard(), DESK_HZ) >= 0.8
    assert seconds_with(target.heard(), CALLER_HZ) >= 0.8


def _is_loud_again(sent: Samples) -> bool:
    """The caller was told something over the music, and half a second of it came after that."""
    levels = _levels(sent, MUSIC_HZ) / MUSIC_PEAK
    low = np.flatnonzero((levels > 0.1) & (levels < 0.5))
    return len(low) >= 50 and np.count_nonzero(levels[low[-1] :] > 0.95) >= 25


def _levels(heard: Samples, hz: int) -> NDArray[np.float64]:
    """How high a sine is in each 20 ms."""
    blocks = heard[: len(heard) // FRAME * FRAME].reshape(-1, FRAME)
    return 2 * np.abs(blocks @ np.exp(-2j * np.pi * hz * np.arange(FRAME) / RATE_HZ)) / FRAME


def _media_of(sdp: str) -> tuple[str, int]:
    line = next(line for line in sdp.splitlines() if line.startswith("m=audio"))
    return "127.0.0.1", int(line.split()[1])
