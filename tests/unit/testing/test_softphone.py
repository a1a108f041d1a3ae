from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from voicegw.base.causes import HangupCause
from voicegw.base.errors import LocalError
from voicegw.base.ids import CallId, LegId
from voicegw.gateway.events import LegAnswered, LegEnded
from voicegw.media import messages as m
from voicegw.sdp.negotiate import MediaSession
from voicegw.testing.softphone import PhoneCall

CALL, LEG = CallId("call"), LegId("leg")
SESSION = MediaSession("192.0.2.1", 4000, "PCMU", 0, 0, 101, 101)
ENDED = LegEnded(LEG, HangupCause.CALLER_HANGUP)


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 10))


class FakePhone:
    """The phone as its calls see it: one object for gateway, worker and itself."""

    def __init__(self) -> None:
        self.commands: list[m.Command] = []
        self.hung_up: list[HangupCause] = []
        self.configured = 0
        self.media = self.gateway = self

    def send(self, command: m.Command) -> None:
        self.commands.append(command)

    def hangup(self, leg_id: LegId, cause: HangupCause) -> None:
        self.hung_up.append(cause)

    def configure(self, call: PhoneCall) -> None:
        self.configured += 1


class Rig:
    def __init__(self) -> None:
        self.phone = FakePhone()
        self.call = PhoneCall(self.phone, CALL, LEG)  # type: ignore[arg-type]

    def far_speaks(self, at: float) -> None:
        self.call.take_media_event(m.SpeechStarted(LEG, at, at, False))

    def far_stops(self, at: float) -> None:
        self.call.take_media_event(m.SpeechStopped(LEG, at, at))


def test_an_answer_configures_the_leg_and_an_end_closes_it() -> None:
    async def story() -> None:
        rig = Rig()
        rig.call.take_leg_event(LegAnswered(LEG, SESSION))
        assert (rig.call.session, rig.phone.configured) == (SESSION, 1)
        waiting = asyncio.create_task(rig.call.wait_ended(5))
        await asyncio.sleep(0)
        rig.call.take_leg_event(ENDED)
        assert await waiting == ENDED
        assert rig.phone.commands == [m.CloseLeg(LEG)]

    play(story())


def test_saying_returns_the_times_of_the_first_and_last_sample() -> None:
    async def story() -> None:
        rig = Rig()
        saying = asyncio.create_task(rig.call.say(bytes(320), 5))
        await asyncio.sleep(0)
        (queued,) = rig.phone.commands
        assert isinstance(queued, m.QueueAudio)
        assert queued.final
        rig.call.take_media_event(m.PlayoutStarted(CALL, queued.utterance_id, 7.0))
        await asyncio.sleep(0)
        rig.call.take_media_event(m.PlayoutFinished(CALL, queued.utterance_id, 160, 7.02))
        assert await saying == (7.0, 7.02)

    play(story())


def test_what_the_end_of_the_call_cuts_off_was_not_said() -> None:
    async def story() -> None:
        rig = Rig()
        saying = asyncio.create_task(rig.call.say(bytes(320), 5))
        await asyncio.sleep(0)
        rig.call.take_leg_event(ENDED)
        with pytest.raises(LocalError, match="the call ended before this was said"):
            await saying

    play(story())


def test_the_far_end_is_quiet_only_after_it_has_spoken() -> None:
    async def story() -> None:
        rig = Rig()
        with pytest.raises(LocalError, match=r"not within 0\.05 s: the far end falls silent"):
            await rig.call.wait_far_quiet(100, 0.05)
        now = time.monotonic()
        rig.far_speaks(now - 2)
        assert await rig.call.wait_far_speech(1) == now - 2
        rig.far_stops(now - 1)
        assert await rig.call.wait_far_quiet(100, 1) == now - 1

    play(story())


def test_a_pause_that_ends_too_early_is_no_silence() -> None:
    async def story() -> None:
        rig = Rig()
        now = time.monotonic()
        rig.far_stops(now)
        waiting = asyncio.create_task(rig.call.wait_far_quiet(5000, 8))
        await asyncio.sleep(0)
        rig.far_speaks(now + 0.01)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not waiting.done()
        rig.far_stops(now - 6)
        assert await waiting == now - 6

    play(story())


def test_a_recording_is_waited_for_and_its_failure_is_told() -> None:
    async def story() -> None:
        rig = Rig()
        rig.call.record("call.wav")
        rig.call.stop_recording()
        assert rig.phone.commands == [m.StartRecording(CALL, "call.wav"), m.StopRecording(CALL)]
        rig.call.take_media_event(m.RecordingEnded(CALL, "call.wav", 160, 0))
        assert await rig.call.recorded(1) == "call.wav"
        failed = Rig()
        failed.call.take_media_event(m.RecordingFailed(CALL, "call.wav", "disk full"))
        with pytest.raises(LocalError, match="not recorded: disk full"):
            await failed.call.recorded(1)

    play(story())


def test_keys_both_ways_and_the_hang_up() -> None:
    async def story() -> None:
        rig = Rig()
        rig.call.press("12#")
        rig.call.take_media_event(m.DtmfReceived(LEG, "9", 100))
        assert (rig.phone.commands, rig.call.digits) == ([m.SendDtmf(LEG, "12#")], "9")
        hanging_up = asyncio.create_task(rig.call.hang_up(5))
        await asyncio.sleep(0)
        assert rig.phone.hung_up == [HangupCause.CALLER_HANGUP]
        rig.call.take_leg_event(ENDED)
        await hanging_up
        assert rig.call.over

    play(story())
