"""Packets of other lengths than ours: three phones that send and want 10, 30 and 40 ms, and one that mixes them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.baresip_peer import Baresip, dial, hang_up, listen
from tests.interop.namespace import Namespace
from tests.interop.rtp import RtpPeer
from tests.interop.server import CallLog, Server
from tests.interop.sipp_peer import Sipp
from tests.interop.sipp_script import answered, expect, invite, request, script, sdp, until_told
from tests.interop.sound import seconds_with, speech_seconds, tone

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

PTIMES_MS = (10, 30, 40)
TALK_S = 4.0


def packet_ms(log: CallLog, way: str, lost_s: float = 0.0) -> float:
    """The audio in a packet, on average over the call, but for the time in which its sender stood still."""
    measured, ended = log.one("MediaWasMeasured"), log.one("CallHasEnded")
    return float((ended["duration_ms"] - 1000 * lost_s) / measured[way])


def test_phones_speak_and_hear_in_packets_of_their_own_length(tmp_path: Path, namespace: Namespace) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(Server(tmp_path, namespace=namespace))
        phones = {
            ptime: stack.enter_context(
                Baresip(
                    tmp_path,
                    namespace,
                    tone(500 + 10 * ptime, 20),
                    account=f"<sip:phone{ptime}@{namespace.address}>;regint=0;ptime={ptime}",
                )
            )
            for ptime in PTIMES_MS
        }
        steps = [*dial(server.uri), *listen(TALK_S + 2), *hang_up()]
        with ThreadPoolExecutor(len(phones)) as hands:
            list(hands.map(lambda phone: phone.do(steps), phones.values()))
        logs = {log.one("CallWasOffered")["calling"]: log for log in server.calls(len(phones))}
        for ptime, phone in phones.items():
            log = logs[f"phone{ptime}"]
            caller, agent = server.recording(log)
            assert seconds_with(caller, 500 + 10 * ptime) >= TALK_S - 1
            assert speech_seconds(agent) >= 1.5 and speech_seconds(phone.heard()) >= 1.5
            assert packet_ms(log, "packets_received") == pytest.approx(ptime, rel=0.2)
            assert packet_ms(log, "packets_sent", server.lost_s) == pytest.approx(ptime, rel=0.2)


def test_packets_of_mixed_lengths_are_heard_whole(tmp_path: Path) -> None:
    """A sender may change what it packs at any time; 15 ms and 5 ms fit no frame of ours (RFC 3551 §4.2)."""
    with Server(tmp_path) as server, RtpPeer() as media:
        offer = sdp(media.port, "a=ptime:30", "a=maxptime:30")
        steps = (invite(1, offer), answered(), until_told(), request("BYE", 2), expect(200))
        with Sipp(tmp_path, script(*steps), target=server.address) as sipp:
            remote = ("127.0.0.1", sipp.answered_port())
            media.start(remote, tone(1000, 60), lengths_ms=(30, 10, 15, 5, 40, 20, 60))
            server.wait_recorded(lambda caller, _agent: seconds_with(caller, 1000) >= 3.5)
            media.wait_heard(lambda heard: speech_seconds(heard) >= 1.7)
            sipp.tell()
            sipp.passed()
        log = server.call()
        caller, _agent = server.recording(log)
    assert seconds_with(caller, 1000) >= 3.5
    assert speech_seconds(media.heard()) >= 1.5
    assert {len(data) - 12 for data in media.packets} == {240}
    assert "a=ptime:30" in sipp.final_answers()[0].body
    assert log.one("MediaWasMeasured")["packets_lost"] == 0
