"""Callers who are moved: what they hear at every step, what the record says, and that nobody is ever lost."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.scenarios.house import LEG, House
from tests.unit.media.rig import tone
from voicegw.agents.actions import AgentAction, Gather, Say, SlotFilled, Transfer
from voicegw.agents.agent import TurnKind
from voicegw.audio import wav
from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.call import events as e
from voicegw.call import facts as f
from voicegw.call.edges import AGENT, AGENT_EAR, ANNOUNCER, BRIEFER, MUSIC, RECORDED_OUT, ear_of
from voicegw.call.supervision import SupervisorInput
from voicegw.call.transfer import TargetConfig, TransferConfig
from voicegw.gateway.events import LegMessage, LegReferralFailed, LegReferred, LegReplaced, LegTrunkFailed
from voicegw.media import messages as m
from voicegw.runtime.mail import EarlyMediaOffered, MediaChanged
from voicegw.sdp.negotiate import MediaSession

BOSS = LegId("boss")
DESK = "sip:desk@192.0.2.7"
TARGETS = TransferConfig(
    (
        TargetConfig("desk", DESK),
        TargetConfig("expert", DESK, "attended"),
        TargetConfig("away", DESK, "blind"),
        TargetConfig("without us", DESK, leave=True),
        TargetConfig("expert without us", DESK, "attended", leave=True),
    ),
    ring_s=20.0,
)
SESSION = MediaSession("192.0.2.7", 4000, "PCMA", 8, 8, 101, 101)
BACK: list[AgentAction] = [Say("I am sorry about that."), Gather(no_input_ms=30_000)]


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


async def moving(target: str, summary: str = "", transfers: TransferConfig = TARGETS) -> House:
    """A call whose agent has said what it had to say and wants the caller moved."""
    to = Transfer(target, "Nobody is there.", summary=summary)
    house = House([[Say("Just a second."), SlotFilled("order", "4711"), to], BACK, BACK], transfers=transfers)
    await house.answer()
    await house.run(2.0)
    return house


def target_of(house: House) -> LegId:
    return house.signalling.dialled[-1]


async def answered(house: House) -> LegId:
    leg = target_of(house)
    house.call.post(e.LegRinging(leg, 180))
    await house.run(3.0)
    house.call.post(MediaChanged(leg, SESSION))
    await house.settle()
    return leg


async def ended(house: House, leg: LegId, cause: HangupCause, status: int = 0) -> None:
    house.call.post(e.LegEnded(leg, cause, status))
    await house.settle()


def steps(house: House) -> list[str]:
    named = {
        f.TransferHasBegun: "begun",
        f.CallerWasConnected: "connected",
        f.CallerWasMoved: "moved",
    }
    story: list[str] = []
    for entry in house.facts.entries:
        match entry.data:
            case f.TransferHasProgressed(step, _status):
                story.append(step)
            case f.TransferHasFailed(reason, _status):
                story.append(f"failed: {reason}")
            case fact if type(fact) in named:
                story.append(named[type(fact)])
    return story


def test_a_bridged_transfer_is_heard_at_every_step() -> None:
    async def story() -> None:
        house = await moving("desk")
        assert house.facts.of(f.AgentSpoke)[0].heard == "Just a second.", "speech is finished first"
        assert house.worker.heard_by(LEG) == {ANNOUNCER}
        leg = await answered(house)
        assert house.worker.heard_by(LEG) == {leg} == house.worker.heard_by(RECORDED_OUT)
        assert house.worker.heard_by(leg) == {LEG}
        assert ANNOUNCER not in house.worker.announced, "the ringing tone is over"
        assert steps(house) == ["begun", "dialled", "ringing", "answered", "connected"]
        assert house.facts.of(f.AnnouncementWasMade) == [f.AnnouncementWasMade("caller", TARGETS.connecting)]
        await house.run(30.0)
        assert len(house.agent.turns) == 1, "the agent keeps out of it"
        await ended(house, leg, HangupCause.CALLER_HANGUP)
        assert house.signalling.said[-1] == "hangup callee_hangup"
        await ended(house, LEG, HangupCause.CALLEE_HANGUP)
        assert house.call.closed

    play(story())


@pytest.mark.parametrize("target", ["desk", "away"])
def test_who_waits_hears_music_under_announcements(tmp_path: Path, target: str) -> None:
    file = tmp_path / "music.wav"
    file.write_bytes(wav.make(44_100, np.repeat(tone(700, 3 * 44_100)[:, np.newaxis], 2, axis=1)))

    async def story() -> None:
        house = await moving(target, transfers=replace(TARGETS, music=str(file), reassure_s=3.0))
        await house.run(9.0)
        heard = [command for command in house.worker.commands if isinstance(command, m.QueueAudio)]
        music = [command for command in heard if command.voice == MUSIC]
        assert music and MUSIC in house.worker.announced, "it goes on under what is said"
        assert all(command.rate_hz == 8000 for command in music)
        said = [fact.text for fact in house.facts.of(f.AnnouncementWasMade)]
        assert said == [TARGETS.connecting] if target == "desk" else said.count(TARGETS.waiting) >= 2
        if target == "desk":
            await answered(house)
            assert not {ANNOUNCER, MUSIC} & set(house.worker.announced), "the music is over"

    play(story())


def test_what_the_target_plays_before_its_answer_is_heard_in_place_of_our_ringing_tone() -> None:
    async def story() -> None:
        house = await moving("desk")
        leg = target_of(house)
        house.call.post(e.LegRinging(leg, 183))
        house.call.post(EarlyMediaOffered(leg, SESSION))
        await house.run(3.0)
        assert house.worker.heard_by(LEG) == {ANNOUNCER}, "a description alone is nothing to hear"
        house.call.post(m.MediaLatched(leg, "192.0.2.7", 4000, house.clock.monotonic()))
        await house.settle()
        assert house.worker.heard_by(LEG) == {leg} == house.worker.heard_by(RECORDED_OUT)
        assert house.worker.heard_by(leg) == set(), "nobody there has answered"
        house.call.post(e.LegRinging(leg, 180))
        await house.run(3.0)
        assert house.worker.heard_by(LEG) == {leg}, "a 180 after it changes nothing"
        assert ANNOUNCER not in house.worker.announced
        house.call.post(m.MediaTimedOut(leg, 30_000))
        await house.settle()
        assert "hangup" not in house.signalling.said[-1], "silence before the answer is no fault"
        house.call.post(MediaChanged(leg, SESSION))
        await house.settle()
        assert house.worker.heard_by(leg) == {LEG}
        assert steps(house) == ["begun", "dialled", "ringing", "early_media", "answered", "connected"]

    play(story())


def test_where_a_trunk_fails_the_next_one_reaches_the_target_and_the_record_says_so() -> None:
    async def story() -> None:
        house = await moving("desk")
        leg = target_of(house)
        house.call.post(e.LegRinging(leg, 180))
        await house.run(2.0)
        house.call.post(LegTrunkFailed(leg, "cheap", HangupCause.PEER_OVERLOADED, 503, "full", "dear"))
        await house.settle()
        assert house.worker.heard_by(LEG) == {ANNOUNCER}, "the caller hears it ringing all the time"
        assert house.signalling.dialled == [leg], "it is the same call to the target"
        await answered(house)
        assert house.worker.heard_by(LEG) == {leg} and house.worker.heard_by(leg) == {LEG}
        assert steps(house) == ["begun", "dialled", "ringing", "ringing", "answered", "connected"], "by both"
        assert house.facts.of(f.TrunkHasFailed) == [
            f.TrunkHasFailed("callee", "cheap", "peer_overloaded", 503, "full", "dear")
        ]

    play(story())


def test_a_trunk_that_fails_after_early_media_leaves_no_silence() -> None:
    """The caller has heard the first trunk; until the next one can be heard we are heard."""

    async def story() -> None:
        house = await moving("desk")
        leg = target_of(house)
        house.call.post(EarlyMediaOffered(leg, SESSION))
        house.call.post(m.MediaLatched(leg, "192.0.2.7", 4000, house.clock.monotonic()))
        await house.run(2.0)
        assert house.worker.heard_by(LEG) == {leg}
        house.call.post(LegTrunkFailed(leg, "cheap", HangupCause.PEER_OVERLOADED, 503, "full", "dear"))
        await house.settle()
        for _ in range(8):
            assert house.worker.heard_by(LEG) == {ANNOUNCER}
            assert ANNOUNCER in house.worker.announced
            await house.run(1.0)
        assert house.facts.of(f.AnnouncementWasMade)[-1].text == TARGETS.connecting
        house.call.post(e.LegRinging(leg, 183))
        house.call.post(EarlyMediaOffered(leg, replace(SESSION, remote_ip="192.0.2.8")))
        house.call.post(m.MediaLatched(leg, "192.0.2.8", 4000, house.clock.monotonic()))
        await house.settle()
        assert house.worker.heard_by(LEG) == {leg}
        await answered(house)
        assert house.worker.heard_by(LEG) == {leg} and house.worker.heard_by(leg) == {LEG}
        assert steps(house) == [
            "begun",
            "dialled",
            "early_media",
            "ringing",
            "early_media",
            "answered",
            "connected",
        ]

    play(story())


def test_after_an_announcement_and_a_refusal_the_agent_has_the_caller_back() -> None:
    async def story() -> None:
        house = await moving("desk")
        leg = target_of(house)
        house.call.post(EarlyMediaOffered(leg, SESSION))
        house.call.post(m.MediaLatched(leg, "192.0.2.7", 4000, house.clock.monotonic()))
        await house.run(3.0)
        await ended(house, leg, HangupCause.PEER_REJECTED, 404)
        await house.run(2.0)
        assert house.worker.heard_by(LEG) == {AGENT}
        assert steps(house)[-1].startswith("failed")

    play(story())


def test_early_media_of_an_attended_target_is_kept_from_the_caller() -> None:
    async def story() -> None:
        house = await moving("expert", summary="A late order.")
        leg = target_of(house)
        house.call.post(EarlyMediaOffered(leg, SESSION))
        house.call.post(m.MediaLatched(leg, "192.0.2.7", 4000, house.clock.monotonic()))
        await house.run(1.0)
        assert house.worker.heard_by(LEG) == {ANNOUNCER}

    play(story())


def test_the_target_is_told_in_writing_what_is_known() -> None:
    async def story() -> None:
        house = await moving("desk", summary="A late order.")
        house.agent.collected = {"order": "4711"}
        assert house.signalling.headers["Subject"] == "A late order."

    play(story())


def test_who_waits_for_long_hears_the_tone_again_and_again() -> None:
    async def story() -> None:
        house = await moving("desk")
        for _ in range(12):
            await house.run(1.0)
            assert ANNOUNCER in house.worker.announced
        assert house.worker.heard_by(LEG) == {ANNOUNCER}

    play(story())


@pytest.mark.parametrize(
    ("status", "cause", "reason"),
    [
        (486, HangupCause.PEER_REJECTED, "busy"),
        (603, HangupCause.PEER_REJECTED, "refused"),
        (480, HangupCause.NO_ANSWER, "no_answer"),
        (404, HangupCause.PEER_REJECTED, "unreachable"),
        (0, HangupCause.UNREACHABLE, "unreachable"),
        (500, HangupCause.PEER_REJECTED, "refused"),
    ],
)
def test_a_target_that_does_not_come_sends_the_caller_back(status: int, cause: HangupCause, reason: str) -> None:
    async def story() -> None:
        house = await moving("desk")
        await ended(house, target_of(house), cause, status)
        assert house.worker.heard_by(LEG) == {AGENT}
        assert steps(house)[-1] == f"failed: {reason}"
        assert house.agent.turns[-1].kind is TurnKind.TRANSFER_FAILED
        await house.run(2.0)
        assert house.facts.of(f.AgentSpoke)[-1].heard == "I am sorry about that."
        await house.caller_says("never mind")
        assert house.agent.turns[-1].text == "never mind"

    play(story())


def test_nobody_answers_within_the_time() -> None:
    async def story() -> None:
        house = await moving("desk")
        await house.run(20.5)
        assert house.signalling.said[-1] == "hangup transfer_off"
        assert steps(house)[-1] == "failed: no_answer"
        assert house.agent.turns[-1].kind is TurnKind.TRANSFER_FAILED
        await ended(house, target_of(house), HangupCause.TRANSFER_OFF)
        assert not house.call.closed, "the caller is still there"

    play(story())


def test_no_port_and_no_host_are_failures_too() -> None:
    async def story(*, ports: bool, routes: bool) -> None:
        house = House([[Say("One moment."), Transfer("desk", "Sorry.")], BACK], transfers=TARGETS)
        await house.answer()
        house.worker.ports, house.signalling.routes = ports, routes
        await house.run(3.0)
        assert house.agent.turns[-1].kind is TurnKind.TRANSFER_FAILED
        assert house.worker.heard_by(LEG) == {AGENT}

    for ports, routes in ((False, True), (True, False)):
        play(story(ports=ports, routes=routes))


def test_an_unknown_target_is_apologised_for_as_before() -> None:
    async def story() -> None:
        house = await moving("nobody")
        await house.run(2.0)
        assert house.facts.of(f.AgentSpoke)[-1].heard == "Nobody is there."
        assert house.signalling.said[-1] == "hangup agent_hangup"

    play(story())


def test_an_attended_target_hears_the_summary_while_the_caller_waits() -> None:
    async def story() -> None:
        house = await moving("expert", summary="A late order.")
        leg = await answered(house)
        assert house.worker.heard_by(leg) == {BRIEFER}
        assert house.worker.heard_by(LEG) == {ANNOUNCER}
        await house.run(12.0)
        assert house.worker.heard_by(leg) == {LEG}
        assert steps(house) == ["begun", "dialled", "ringing", "answered", "briefed", "connected"]
        told = [fact.text for fact in house.facts.of(f.AnnouncementWasMade) if fact.to == "target"]
        assert told == ["A late order."]

    play(story())


@pytest.mark.parametrize(("key", "outcome"), [("1", "connected"), ("2", "failed: refused"), ("5", "answered")])
def test_the_keys_of_the_target_decide_and_the_callers_do_not(key: str, outcome: str) -> None:
    async def story() -> None:
        house = await moving("expert")
        leg = await answered(house)
        house.call.post(m.DtmfReceived(LEG, key, 100))
        await house.run(0.5)
        assert steps(house)[-1] == "answered"
        house.call.post(m.DtmfReceived(leg, key, 100))
        await house.settle()
        assert steps(house)[-1] == outcome
        assert (house.signalling.said[-1] == "hangup transfer_off") is (key == "2")

    play(story())


def test_a_target_that_hangs_up_during_the_summary() -> None:
    async def story() -> None:
        house = await moving("expert")
        leg = await answered(house)
        await house.run(1.0)
        await ended(house, leg, HangupCause.CALLER_HANGUP)
        assert steps(house)[-1] == "failed: hung_up"
        assert not house.worker.announced
        await house.run(2.0)
        assert house.agent.turns[-1].text == "the other side hung up"

    play(story())


def test_a_voice_that_fails_connects_without_a_summary() -> None:
    async def story() -> None:
        house = await moving("expert")
        house.speaker.dead = True
        leg = await answered(house)
        await house.run(3.0)
        assert house.worker.heard_by(leg) == {LEG}

    play(story())


@pytest.mark.parametrize("when", ["dialling", "ringing", "briefing", "bridged", "referring"])
def test_the_caller_hangs_up_during_any_step(when: str) -> None:
    async def story() -> None:
        house = await moving({"briefing": "expert", "referring": "away"}.get(when, "desk"))
        leg = None if when == "referring" else target_of(house)
        if when in ("briefing", "bridged"):
            await answered(house)
        elif when == "ringing" and leg is not None:
            house.call.post(e.LegRinging(leg, 180))
            await house.run(1.0)
        await house.hang_up()
        if leg is not None:
            assert house.signalling.said[-1] == "hangup caller_hangup"
            assert not house.call.closed
            await ended(house, leg, HangupCause.CALLER_HANGUP)
        assert house.call.closed
        assert not house.worker.announced
        if when != "bridged":
            assert steps(house)[-1] == "failed: caller_gone"

    play(story())


def test_a_blind_transfer_is_followed_to_its_end() -> None:
    async def story() -> None:
        house = await moving("away")
        assert house.signalling.said[-1] == f"refer {DESK}"
        house.call.post(e.ReferAnswered(LEG, 202))
        house.call.post(e.ReferProgressed(LEG, 180, False))
        await house.run(1.0)
        house.call.post(e.ReferProgressed(LEG, 200, True))
        await house.settle()
        assert house.signalling.said[-1] == "hangup transferred"
        assert steps(house) == ["begun", "refer_accepted", "referred_call", "moved"]
        await ended(house, LEG, HangupCause.TRANSFERRED)
        assert house.call.closed

    play(story())


@pytest.mark.parametrize("status", [403, 405, 408, 481, 501, 603])
def test_where_refer_is_refused_the_transfer_is_bridged(status: int) -> None:
    async def story() -> None:
        house = await moving("away")
        house.call.post(e.ReferAnswered(LEG, status))
        await house.settle()
        assert house.signalling.said[-1] == f"dial {DESK}"
        leg = await answered(house)
        assert house.worker.heard_by(LEG) == {leg}

    play(story())


def test_a_peer_without_refer_is_not_asked() -> None:
    async def story() -> None:
        house = House([[Transfer("away", "Sorry.")]], transfers=TARGETS)
        house.signalling.refers = False
        await house.answer()
        await house.run(1.0)
        assert house.signalling.said[-1] == f"dial {DESK}"

    play(story())


@pytest.mark.parametrize(("status", "reason"), [(486, "busy"), (408, "no_answer"), (603, "refused"), (0, "failed")])
def test_a_referred_call_that_fails_gives_the_caller_back(status: int, reason: str) -> None:
    async def story() -> None:
        house = await moving("away")
        house.call.post(e.ReferAnswered(LEG, 202))
        house.call.post(e.ReferProgressed(LEG, status, True))
        await house.settle()
        assert steps(house)[-1] == f"failed: {reason}"
        assert house.worker.heard_by(LEG) == {AGENT}
        house.call.post(e.ReferProgressed(LEG, 200, True))
        await house.settle()
        assert steps(house)[-1] == f"failed: {reason}", "a word that comes too late changes nothing"

    play(story())


def test_a_refer_that_nothing_is_heard_of_times_out() -> None:
    async def story() -> None:
        house = await moving("away")
        house.call.post(e.ReferAnswered(LEG, 202))
        await house.run(41.0)
        assert steps(house)[-1] == "failed: no_answer"
        assert house.agent.turns[-1].kind is TurnKind.TRANSFER_FAILED

    play(story())


def test_a_transfer_that_fails_while_the_caller_is_on_hold_is_told_when_they_are_back() -> None:
    async def story() -> None:
        house = await moving("desk")
        held = MediaSession("192.0.2.1", 4000, "PCMU", 0, 0, send=False, receive=False)
        house.call.post(MediaChanged(LEG, held))
        await ended(house, target_of(house), HangupCause.PEER_REJECTED, 486)
        await house.run(1.0)
        assert len(house.agent.turns) == 1
        house.call.post(MediaChanged(LEG, MediaSession("192.0.2.1", 4000, "PCMU", 0, 0)))
        await house.settle()
        assert house.agent.turns[-1].kind is TurnKind.TRANSFER_FAILED

    play(story())


def test_a_shutdown_while_the_caller_waits_says_goodbye() -> None:
    async def story() -> None:
        house = await moving("desk")
        house.call.post(e.ShutdownRequested())
        await house.run(8.0)
        assert "call again" in house.facts.of(f.AgentSpoke)[-1].heard
        assert "hangup transfer_off" in house.signalling.said
        assert house.signalling.said[-1] == "hangup draining"

    play(story())


def test_a_caller_who_talks_over_the_last_words_is_moved_all_the_same() -> None:
    async def story() -> None:
        words = "I will now connect you with somebody who knows more about it than I do."
        house = House([[Say(words), Transfer("desk", "Sorry.")]], transfers=TARGETS)
        await house.answer()
        await house.run(0.5)
        await house.caller_says("thank you very much")
        await house.run(3.0)
        assert house.signalling.said[-1] == f"dial {DESK}"

    play(story())


# ------------------------------------------------------------ in writing


async def speaks(house: House, leg: LegId, text: str) -> None:
    now = house.clock.monotonic()
    house.call.post(m.SpeechStarted(leg, now, now - 0.06, False))
    await house.run(1.0)
    house.asr.text = text
    now = house.clock.monotonic()
    house.call.post(m.SpeechStopped(leg, now, now - 0.2))
    await house.run(1.0)


def test_a_bridged_call_is_put_down_in_writing_and_the_agent_knows_of_it_when_it_gets_the_caller_back() -> None:
    async def story() -> None:
        house = await moving("desk")
        leg = await answered(house)
        assert house.worker.heard_by(ear_of(leg)) == {leg} and house.worker.heard_by(AGENT_EAR) == {LEG}
        await speaks(house, LEG, "where is my parcel")
        await speaks(house, leg, "it arrives on monday")
        assert house.facts.of(f.CallerSpoke)[-1].text == "where is my parcel"
        (said,) = house.facts.of(f.CalleeSpoke)
        assert (said.target, said.text) == ("desk", "it arrives on monday") and said.ended_ms > said.started_ms
        assert len(house.agent.turns) == 1, "the agent keeps out of it"
        # A supervisor takes the caller over, the person hangs up, and the agent goes on.
        house.call.post(e.SupervisorOffered(BOSS, "Ada", wanted=SupervisorInput.TAKE_OVER))
        await house.settle()
        house.call.post(e.LegConfirmed(BOSS))
        await house.settle()
        await ended(house, leg, HangupCause.CALLER_HANGUP)
        house.call.post(e.SupervisorChose(BOSS, SupervisorInput.HAND_BACK))
        await house.run(1.0)
        notes = house.agent.contexts[-1].notes
        assert "desk said to the caller: it arrives on monday" in notes
        assert "The caller said to desk: where is my parcel" in notes

    play(story())


def test_the_last_words_of_a_bridged_call_are_waited_for() -> None:
    async def story() -> None:
        house = await moving("desk")
        leg = await answered(house)
        now = house.clock.monotonic()
        house.call.post(m.SpeechStarted(leg, now, now - 0.06, False))
        await house.run(1.0)
        house.asr.text = "goodbye"
        await ended(house, leg, HangupCause.CALLER_HANGUP)
        await ended(house, LEG, HangupCause.CALLEE_HANGUP)
        await house.run(0.5)
        assert [fact.text for fact in house.facts.of(f.CalleeSpoke)] == ["goodbye"]
        assert house.call.closed

    play(story())


def test_a_bridged_call_stays_unwritten_where_that_is_wished() -> None:
    async def story() -> None:
        house = await moving("desk", transfers=replace(TARGETS, transcribe=False))
        leg = await answered(house)
        assert house.worker.heard_by(ear_of(leg)) == house.worker.heard_by(AGENT_EAR) == set()
        await speaks(house, LEG, "where is my parcel")
        await speaks(house, leg, "it arrives on monday")
        assert not house.facts.of(f.CalleeSpoke) and not house.facts.of(f.CallerSpoke)

    play(story())


@pytest.mark.parametrize("target", ["without us", "expert without us"])
@pytest.mark.parametrize("target_first", [True, False])
def test_caller_and_target_are_left_to_themselves(target: str, target_first: bool) -> None:
    async def story() -> None:
        house = await moving(target)
        leg = await answered(house)
        if "expert" in target:
            assert "refer to replace us" not in house.signalling.said, "not before the target wants the caller"
            house.call.post(m.DtmfReceived(leg, "1", 100))
            await house.settle()
        assert house.signalling.said[-1] == "refer to replace us"
        assert house.worker.heard_by(LEG) == {leg}
        house.call.post(e.ReferAnswered(LEG, 202))
        await house.settle()
        if target_first:  # its phone has taken the new call, and hangs up on us before anybody tells us
            await ended(house, leg, HangupCause.CALLER_HANGUP)
            assert not house.call.closed
        house.call.post(e.ReferProgressed(LEG, 200, True))
        await house.settle()
        assert house.signalling.said[-1] == "hangup transferred"
        assert steps(house)[-1] == "moved"
        await ended(house, LEG, HangupCause.TRANSFERRED)
        if not target_first:
            await ended(house, leg, HangupCause.TRANSFERRED)
        assert house.call.closed

    play(story())


@pytest.mark.parametrize("why", ["refused", "failed", "silent"])
def test_where_we_cannot_leave_we_stay(why: str) -> None:
    async def story() -> None:
        house = await moving("without us")
        leg = await answered(house)
        if why == "refused":
            house.call.post(e.ReferAnswered(LEG, 603))
        elif why == "failed":
            house.call.post(e.ReferAnswered(LEG, 202))
            house.call.post(e.ReferProgressed(LEG, 486, True))
        await house.run(41.0)
        assert house.worker.heard_by(LEG) == {leg}
        assert steps(house).count("connected") == 1
        assert house.signalling.said[-1] == "refer to replace us", "nobody was hung up on"
        await ended(house, leg, HangupCause.CALLER_HANGUP)
        assert house.signalling.said[-1] == "hangup callee_hangup"

    play(story())


def test_a_target_that_is_gone_with_nobody_in_its_place_ends_the_call() -> None:
    async def story() -> None:
        house = await moving("without us")
        leg = await answered(house)
        house.call.post(e.ReferAnswered(LEG, 202))
        await ended(house, leg, HangupCause.CALLER_HANGUP)
        await house.run(39.0)
        assert house.signalling.said[-1] == "refer to replace us"
        await house.run(2.0)
        assert house.signalling.said[-1] == "hangup callee_hangup"

    play(story())


def test_a_caller_without_refer_is_not_asked_to_take_our_place() -> None:
    async def story() -> None:
        house = House([[Transfer("without us", "Sorry.")]], transfers=TARGETS)
        house.signalling.refers = False
        await house.answer()
        await house.run(1.0)
        leg = await answered(house)
        assert house.worker.heard_by(LEG) == {leg}
        assert "refer to replace us" not in house.signalling.said

    play(story())


def test_an_agent_answers_what_the_caller_wrote() -> None:
    async def story() -> None:
        house = House(
            [[Say("Hello, who is there? Please write or say it."), Gather()], [Say("Thank you."), Gather()]]
        )
        await house.answer()
        await house.run(1.0)
        house.call.post(LegMessage(LEG, "my number is 4711"))
        await house.run(1.0)
        assert house.agent.turns[-1].text == "my number is 4711"
        (said,) = house.facts.of(f.CallerSpoke)
        assert isinstance(said, f.CallerSpoke) and said.text == "my number is 4711"
        assert house.facts.of(f.MessageWasReceived) == [f.MessageWasReceived("caller", "my number is 4711")]

    play(story())


def test_an_agent_that_is_asked_for_something_sensitive_writes_down_no_text_either() -> None:
    async def story() -> None:
        house = House([[Say("Your number?"), Gather(sensitive=True)], [Say("Thank you."), Gather()]])
        await house.answer()
        await house.run(1.5)
        house.call.post(LegMessage(LEG, "4111"))
        await house.run(1.0)
        assert house.agent.turns[-1].text == "4111"
        assert "4111" not in str(house.facts.entries)

    play(story())


def test_an_agent_knows_what_was_written_meanwhile_and_that_somebody_else_is_on_the_line() -> None:
    async def story() -> None:
        house = House([[Say("Hello.")], BACK], transfers=TARGETS)
        await house.answer()
        await house.run(1.0)
        house.call.post(MediaChanged(LEG, replace(SESSION, send=False)))
        house.call.post(LegMessage(LEG, "my number is 4711"))
        await house.settle()
        house.call.post(LegReferred(LEG, DESK, True))
        house.call.post(LegReplaced(LEG, DESK))
        house.call.post(MediaChanged(LEG, SESSION))
        await house.run(1.0)
        assert house.agent.contexts[-1].notes == (
            "The caller wrote: my number is 4711",
            "The caller has handed the line to somebody else, who is on it from now on.",
        )
        assert house.facts.of(f.MessageWasReceived) == [f.MessageWasReceived("caller", "my number is 4711")]
        assert house.facts.of(f.FarEndWasReferred) == [f.FarEndWasReferred("caller", DESK, True)]
        assert house.facts.of(f.FarEndWasReplaced) == [f.FarEndWasReplaced("caller", DESK)]

    play(story())


def test_what_a_target_does_is_written_down_and_no_news_for_the_agent() -> None:
    async def story() -> None:
        house = await moving("desk")
        leg = await answered(house)
        house.call.post(LegReferralFailed(leg, "sip:other@192.0.2.8", 486))
        house.call.post(LegReplaced(leg, "sip:other@192.0.2.8"))
        await ended(house, leg, HangupCause.CALLER_HANGUP)
        assert house.facts.of(f.ReferralHasFailed) == [f.ReferralHasFailed("callee", "sip:other@192.0.2.8", 486)]
        assert house.facts.of(f.FarEndWasReplaced) == [f.FarEndWasReplaced("callee", "sip:other@192.0.2.8")]

    play(story())
