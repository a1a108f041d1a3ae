"""A packet capture of a call by order: what it may have follows consent, pauses and sensitive questions."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TypeVar

import pytest

from tests.scenarios.house import CALL, LEG, House
from voicegw.agents.actions import ConsentAnswered, PauseRecording, Say
from voicegw.call import events as e
from voicegw.call.capture_facts import CaptureHasEnded, CaptureHasStarted
from voicegw.gateway.trace_message import Passed
from voicegw.media import messages as m
from voicegw.runtime.orders import Refused, StartCapture, StopCapture
from voicegw.sip.address import Address

WANTED = StartCapture("ada", True, 60.0, 5.0)
HERE, PEER = Address("10.0.0.2", 5060), Address("192.0.2.1", 5070)
INVITE = b"INVITE sip:demo@10.0.0.2 SIP/2.0\r\nAuthorization: Digest s3cret\r\n\r\n"
FOLDER = Path("/recordings")
C = TypeVar("C")


def play(story: Coroutine[object, object, None]) -> None:
    asyncio.run(story)


class Captured(House):
    """A call whose media worker writes captures, or says that it does."""

    def __init__(self, replies: list[list[object]]) -> None:
        super().__init__(replies, recordings=FOLDER)  # type: ignore[arg-type]
        self.signalling.openings[LEG] = (Passed(-3.0, False, HERE, PEER, INVITE),)

    async def capture(self, order: StartCapture = WANTED) -> m.StartCapture:
        answer = self.call.ask(order)
        await self.settle()
        command = self.commands(m.StartCapture)[-1]
        self.call.post(m.CaptureStarted(CALL, command.path))
        await self.settle()
        answer.result()
        return command

    def commands(self, kind: type[C]) -> list[C]:
        return [one for one in self.worker.commands if isinstance(one, kind)]

    async def ended(self, wish: str, path: str, reason: str = "it was stopped") -> None:
        self.call.post(m.CaptureEnded(CALL, wish, path, 7, 700, 0, reason))
        await self.settle()


def test_it_begins_with_the_call_so_far_and_is_complete_when_it_is_answered() -> None:
    async def story() -> None:
        stage = Captured([[Say("Hello.")]])
        await stage.answer()
        begun = await stage.capture()
        assert begun == m.StartCapture(CALL, "/recordings/call-1.pcap", True, False, 5_000_000, 60.0)
        (invite,) = stage.commands(m.CaptureMessage)
        assert (invite.source, invite.target) == (("192.0.2.1", 5070), ("10.0.0.2", 5060))
        assert invite.data == INVITE.replace(b"Digest s3cret", b"xxxxxx xxxxxx")
        assert invite.wall_us == round((stage.clock.wall() - stage.clock.monotonic() - 3.0) * 1e6)
        stage.signalling.listeners[LEG](Passed(1.0, True, HERE, PEER, b"SIP/2.0 200 OK\r\n\r\n"))
        assert stage.commands(m.CaptureMessage)[-1].source == ("10.0.0.2", 5060)
        answer = stage.call.ask(StopCapture("ada"))
        await stage.settle()
        assert stage.commands(m.StopCapture) == [m.StopCapture(CALL)] and not answer.done()
        await stage.ended(begun.path, begun.path)
        answer.result()
        assert stage.facts.of(CaptureHasStarted) == [CaptureHasStarted("ada", begun.path, True)]
        assert stage.facts.of(CaptureHasEnded) == [CaptureHasEnded(begun.path, 7, 700, 0, "it was stopped")]
        assert not stage.signalling.listeners

    play(story())


def test_where_a_recording_is_silent_there_are_headers_only() -> None:
    async def story() -> None:
        stage = Captured([[PauseRecording(True), Say("Your card number, please.")]])
        await stage.answer()
        begun = await stage.capture()
        assert not begun.audio and not begun.keys
        stage.call._recorder.listen(sensitive=True)
        stage.call._recorder.pause("agent", paused=False)
        assert not any(one.audio for one in stage.commands(m.ChangeCapture))
        stage.call._recorder.listen(sensitive=False)
        assert stage.commands(m.ChangeCapture)[-1] == m.ChangeCapture(CALL, True, False)

    play(story())


def test_a_caller_who_refuses_has_what_was_captured_removed_and_it_goes_on_without_audio() -> None:
    async def story() -> None:
        stage = Captured([[Say("Hello.")]])
        await stage.answer()
        first = await stage.capture()
        stage.call._recorder.answered(ConsentAnswered("May we record?", "no", False))
        assert stage.commands(m.StopCapture) == [m.StopCapture(CALL, True)]
        second = stage.commands(m.StartCapture)[-1]
        assert second.path == "/recordings/call-2.pcap" and not second.audio and not second.keys
        await stage.ended(first.path, "")
        assert [one.path for one in stage.facts.of(CaptureHasEnded)] == [""]  # type: ignore[attr-defined]
        assert len(stage.commands(m.CaptureMessage)) == 2, "the INVITE is in the new one, too"
        assert LEG in stage.signalling.listeners

    play(story())


def test_headers_are_all_that_whoever_may_not_hear_the_call_gets() -> None:
    async def story() -> None:
        stage = Captured([[Say("Hello.")]])
        await stage.answer()
        begun = await stage.capture(StartCapture("bob", False, 60.0, 5000.0))
        assert begun.path.endswith("call-1-heads.pcap") and not begun.audio and begun.max_bytes == 100_000_000

    play(story())


def test_it_ends_with_the_last_message_of_the_call() -> None:
    async def story() -> None:
        stage = Captured([[Say("Hello.")]])
        await stage.answer()
        begun = await stage.capture()
        stage.signalling.owed.add(LEG)
        stage.call.post(e.EndRequested(e.HangupCause.SUPERVISOR_ENDED))
        stage.call.post(e.LegEnded(LEG, e.HangupCause.SUPERVISOR_ENDED))
        stage.call.post(m.RecordingEnded(CALL, "/recordings/call.wav", 0, 0))
        await stage.run(0.1)
        assert not stage.call.closed and not stage.commands(m.StopCapture)
        stage.signalling.owed.clear()
        assert not stage.call.closed and stage.commands(m.StopCapture) == [m.StopCapture(CALL)]
        await stage.ended(begun.path, begun.path, "the call ended")
        assert stage.call.closed

    play(story())


def test_only_so_many_calls_are_captured_at_once() -> None:
    async def story() -> None:
        stage = Captured([[Say("Hello.")]])
        await stage.answer()
        house = stage.call._services.captures
        for number in range(house.config.at_once):
            house.take(f"other {number}")  # type: ignore[arg-type]
        answer = stage.call.ask(WANTED)
        await stage.settle()
        with pytest.raises(Refused, match="as many as may be"):
            answer.result()
        house.give_back("other 1")  # type: ignore[arg-type]
        await stage.capture()
        again = stage.call.ask(WANTED)
        await stage.settle()
        with pytest.raises(Refused, match="already"):
            again.result()

    play(story())


def test_one_that_cannot_be_written_is_refused_and_makes_room() -> None:
    async def story() -> None:
        stage = Captured([[Say("Hello.")]])
        await stage.answer()
        answer = stage.call.ask(WANTED)
        await stage.settle()
        await stage.ended("/recordings/call-1.pcap", "", "the disk has 3 MB left")
        with pytest.raises(Refused, match="3 MB left"):
            answer.result()
        assert stage.call._services.captures.running == 0 and not stage.facts.of(CaptureHasEnded)

    play(story())


def test_a_call_that_is_waited_for_is_captured_from_its_first_message() -> None:
    async def story() -> None:
        stage = Captured([[Say("Hello.")]])
        answer = stage.call.ask(WANTED)
        await stage.settle()
        assert not stage.commands(m.StartCapture) and not answer.done()
        await stage.answer()
        kinds = [type(one) for one in stage.worker.commands]
        assert kinds.index(m.StartCapture) < kinds.index(m.CaptureMessage) < kinds.index(m.ConfigureLeg)
        assert not stage.commands(m.StartCapture)[0].audio, "nothing is known of consent yet"
        assert stage.commands(m.ChangeCapture)[-1].audio

    play(story())
