"""Session timers with sipp in both roles, glare, hold in four spellings, keys and text in mid-call; media go on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sipp_peer import Seen, Sipp
from tests.interop.sipp_script import (
    answer,
    answer_kept,
    answered,
    expect,
    expect_and_keep,
    invite,
    invite_again,
    pause,
    refused,
    request,
    script,
    sdp,
    until_told,
)
from tests.interop.sound import seconds_with, silence, tone

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

BRIEF: dict[str, Any] = {"sip": {"session_expires_s": 8, "min_se_s": 4}}
"""Seconds in place of minutes: what no network but a test's may use."""
TIMER = "Supported: timer"


def origin(message: Seen) -> str:
    """The o= line: the same as long as nothing changes (RFC 3264 §8)."""
    return next(line for line in message.body.splitlines() if line.startswith("o="))


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_we_refresh_and_nothing_else_changes(tmp_path: Path, method: str) -> None:
    """The peer wants us to refresh every 6 s: by UPDATE if it takes one, else by the same description again."""
    with Server(tmp_path, settings=BRIEF) as server, RtpPeer() as media:
        allow = "Allow: INVITE, ACK, BYE, CANCEL" + (", UPDATE" if method == "UPDATE" else "")
        wish = (TIMER, "Session-Expires: 6;refresher=uas", allow)
        granted = (TIMER, "Require: timer", "Session-Expires: 6;refresher=uac")
        body = sdp(media.port) if method == "INVITE" else ""
        taken = expect(method, 20_000) + answer("200 OK", *granted, body=body)
        taken += expect("ACK") if method == "INVITE" else ""
        steps = [invite(1, sdp(media.port), *wish), answered(), taken, taken, request("BYE", 2), expect(200)]
        with Sipp(tmp_path, script(*steps), target=server.address) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), tone(1000, 10))
            sipp.passed()
        log = server.call()
        caller, _agent = server.recording(log)
    first = sipp.final_answers()[0]
    assert first.header("Session-Expires") == "6;refresher=uas"
    assert first.header("Require") == "timer"
    refreshes = sipp.received(f"{method} ", method)
    assert {refresh.header("Session-Expires") for refresh in refreshes} == {"6;refresher=uac"}
    assert {origin(refresh) for refresh in refreshes if method == "INVITE"} <= {origin(first)}
    assert log.cause == "caller_hangup"
    assert seconds_with(caller, 1000) >= 3.5, "the media go on through a refresh; the second one ends the call"
    assert media.longest_pause_s() < 0.5 + server.lost_s


def test_the_peer_refreshes_in_both_ways_and_is_hung_up_on_when_it_stops(tmp_path: Path) -> None:
    with Server(tmp_path, settings=BRIEF) as server, RtpPeer() as media:
        wish = (TIMER, "Session-Expires: 8;refresher=uac")
        steps = [
            invite(1, sdp(media.port), *wish) + answered() + pause(2000),
            invite(2, sdp(media.port), *wish) + answered(cseq=2) + pause(2000),
            request("UPDATE", 3, *wish) + expect(200),
            expect("BYE", 30_000) + answer("200 OK"),
        ]
        with Sipp(tmp_path, script(*steps), target=server.address) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), tone(1000, 10))
            sipp.passed()
        log = server.call()
        caller, _agent = server.recording(log)
    answers = sipp.final_answers()
    assert [seen.header("Session-Expires") for seen in answers] == ["8;refresher=uac"] * 2
    assert origin(answers[0]) == origin(answers[1])
    assert log.cause == "session_expired"
    assert seconds_with(caller, 1000) >= 5


def test_an_interval_that_is_too_brief_is_refused_and_asked_for_again(tmp_path: Path) -> None:
    """Longer than the call lasts, so that nobody refreshes it."""
    settings = {"sip": BRIEF["sip"] | {"session_expires_s": 90}}
    with Server(tmp_path, settings=settings) as server, RtpPeer() as media:
        steps = [
            invite(1, sdp(media.port), TIMER, "Session-Expires: 2") + refused(422),
            invite_again(2, sdp(media.port), TIMER, "Session-Expires: 80", "Min-SE: 4") + answered(cseq=2),
            until_told() + request("BYE", 3) + expect(200),
        ]
        with Sipp(tmp_path, script(*steps), target=server.address) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), tone(1000, 5))
            server.wait_recorded(lambda caller, _agent: seconds_with(caller, 1000) >= 0.5)
            sipp.tell()
            sipp.passed()
        caller, _agent = server.recording(server.call())
    assert sipp.received("SIP/2.0 422")[0].header("Min-SE") == "4"
    assert sipp.final_answers()[0].header("Session-Expires") == "80;refresher=uas"
    assert seconds_with(caller, 1000) >= 0.5


def test_a_refresh_that_crosses_the_peers_own_change_is_tried_again(tmp_path: Path) -> None:
    """Both sides send a re-INVITE: both get 491, and ours, who do not own the Call-ID, comes back within 2 s.

    The session is long enough for that: it is refreshed after 12 s and ends at 16 s if that fails.
    """
    settings = {"sip": BRIEF["sip"] | {"session_expires_s": 24}}
    with Server(tmp_path, settings=settings) as server, RtpPeer() as media:
        wish = (TIMER, "Session-Expires: 24;refresher=uas", "Allow: INVITE, ACK, BYE, CANCEL")
        granted = (TIMER, "Require: timer", "Session-Expires: 24;refresher=uac")
        steps = [
            invite(1, sdp(media.port), *wish) + answered(),
            expect_and_keep("INVITE", 30_000) + invite(2, sdp(media.port, version=2), TIMER),
            refused(491, 2) + answer_kept("491 Request Pending") + expect("ACK"),
            expect("INVITE", 20_000) + answer("200 OK", *granted, body=sdp(media.port)) + expect("ACK"),
            request("BYE", 3) + expect(200),
        ]
        with Sipp(tmp_path, script(*steps), target=server.address) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), tone(1000, 20))
            sipp.passed()
        caller, _agent = server.recording(server.call())
    assert seconds_with(caller, 1000) >= 3


HOLDS = {
    "sendonly": ("a=sendonly",),
    "inactive": ("a=inactive",),
    "address": (),
    "port": (),
}


@pytest.mark.parametrize("spelling", HOLDS)
def test_hold_in_every_spelling_stops_our_sound_and_resume_brings_it_back(
    server: Server, tmp_path: Path, spelling: str
) -> None:
    lost_s = server.lost_s
    with RtpPeer() as media:
        held = sdp(
            0 if spelling == "port" else media.port,
            *HOLDS[spelling],
            version=2,
            ip="0.0.0.0" if spelling == "address" else "[media_ip]",
        )
        steps = [
            invite(1, sdp(media.port)) + answered() + until_told(),
            invite(2, held) + answered(cseq=2) + pause(2000),
            invite(3, sdp(media.port, version=3)) + answered(cseq=3) + until_told(),
            request("BYE", 4) + expect(200),
        ]
        with Sipp(tmp_path, script(*steps), target=server.address) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), tone(1000, 60))
            server.wait_recorded(lambda caller, _agent: seconds_with(caller, 1000) >= 1)
            sipp.tell()
            server.wait_happened(lambda log: len(log.all("CallWasHeld")) == 2, "the call is resumed")
            before, packets = server.recorded_samples, len(media.packets)
            server.wait_recorded(lambda caller, _agent: seconds_with(caller[before:], 1000) >= 1)
            media.wait_heard(lambda _heard: len(media.packets) >= packets + 25)
            sipp.tell()
            sipp.passed()
        log = server.call()
        caller, _agent = server.recording(log)
    _first, on_hold, resumed = sipp.final_answers()
    wanted = {"inactive": "a=inactive", "port": "m=audio 0 "}.get(spelling, "a=recvonly")
    assert re.search(wanted, on_hold.body), on_hold.body
    assert re.search(r"^m=audio [1-9]\d* ", resumed.body, re.MULTILINE) and "a=sendrecv" in resumed.body
    assert [fact["held"] for fact in log.all("CallWasHeld")] == [True, False]
    (_, held_ms), (_, resumed_ms) = log.dated("CallWasHeld")
    stopped_s = (resumed_ms - held_ms) / 1000
    assert -0.5 < media.longest_pause_s() - stopped_s < 0.5 + server.lost_s - lost_s
    assert seconds_with(caller[before:], 1000) >= 1, "who was held is heard again"


def test_keys_by_info_and_text_in_a_call(server: Server, tmp_path: Path) -> None:
    lost_s = server.lost_s
    with RtpPeer() as media:
        steps = [
            invite(1, sdp(media.port)) + answered() + pause(1000),
            request("INFO", 2, body="Signal=4\nDuration=160\n", kind="application/dtmf-relay") + expect(200),
            request("INFO", 3, body="Signal= *\nDuration= 90\n", kind="application/dtmf-relay") + expect(200),
            request("INFO", 4, body="11", kind="application/dtmf") + expect(200),
            request("INFO", 5, body="<x/>", kind="application/xml") + expect(415),
            request("MESSAGE", 6, body="Are you there?", kind="text/plain") + expect(200),
            request("MESSAGE", 7, body="<x/>", kind="application/xml") + expect(415) + pause(1000),
            request("BYE", 8) + expect(200),
        ]
        with Sipp(tmp_path, script(*steps), target=server.address) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), silence(5))
            sipp.passed()
        log = server.call()
    assert log.keys == "4*#"
    assert log.one("MessageWasReceived")["text"].strip() == "Are you there?"
    assert media.longest_pause_s() < 0.5 + server.lost_s - lost_s
