"""Recording sessions (SIPREC) on a manual clock: who is recorded where, what is written down, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.interop.recording_client import METADATA
from tests.scenarios.house import LEG, House
from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.call import events as e
from voicegw.call import facts as f
from voicegw.call.consent import RecordingPolicy
from voicegw.call.edges import RECORDED_IN, RECORDED_OUT
from voicegw.call.record import fold
from voicegw.call.recording_call import RecordingMachine
from voicegw.call.recording_facts import (
    ParticipantSpoke,
    RecordingWasDescribed,
    StreamHasEnded,
    StreamWasAgreed,
    StreamWasPaused,
)
from voicegw.call.states import Control
from voicegw.call.supervision import SupervisorInput
from voicegw.call.transfer_request import TransferKind
from voicegw.gateway.events import LegMetadata, LegStreamsChanged, LegStreamsOffered
from voicegw.media import messages as m
from voicegw.runtime.mail import RecordingClientSaid
from voicegw.runtime.orders import MoveCall, Refused, Supervise, WhisperText
from voicegw.sdp.negotiate import MediaSession
from voicegw.sdp.recording import RecordedStream

BOSS = LegId("boss")


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def stream(place: int, label: str, *, flows: bool = True) -> RecordedStream:
    session = MediaSession("192.0.2.1", 5000 + place, "PCMU", 0, 0, send=False, receive=flows)
    return RecordedStream(place, label, session)


class Session:
    """A recording session of two streams, those of the client's metadata, unless said otherwise."""

    def __init__(self, folder: Path | None = None) -> None:
        self.house = House([], recordings=folder, recorded=True)

    @property
    def machine(self) -> RecordingMachine:
        machine = self.house.call.machine
        assert isinstance(machine, RecordingMachine)
        return machine

    def leg(self, place: int) -> LegId:
        return next(stream.leg_id for stream in self.machine.streams if stream.place == place)

    async def describe(self, document: bytes) -> None:
        self.house.call.post(RecordingClientSaid(LegMetadata(LEG, document)))
        await self.house.settle()

    async def offer(self, *streams: RecordedStream, places: tuple[int, ...] | None = None) -> None:
        self.house.signalling.streams = streams
        wanted = tuple(one.place for one in streams) if places is None else places
        self.house.call.post(RecordingClientSaid(LegStreamsOffered(LEG, wanted)))
        await self.house.settle()

    async def begin(self, *streams: RecordedStream, document: bytes = METADATA.encode()) -> None:
        house = self.house
        house.call.note_route("compliance", "", RecordingPolicy.ALWAYS, languages=("en-US",))
        house.call.post(e.CallOffered(LEG))
        house.call.post(e.RouteChosen(""))
        await self.describe(document)
        await self.offer(*(streams or (stream(0, "96"), stream(1, "97"))))
        house.call.post(e.LegConfirmed(LEG))
        await house.settle()

    async def speak(self, place: int, text: str) -> None:
        now = self.house.clock.monotonic()
        leg = self.leg(place)
        self.house.call.post(m.SpeechStarted(leg, now, now - 0.06, False))
        await self.house.run(1.0)
        self.house.asr.text = text
        now = self.house.clock.monotonic()
        self.house.call.post(m.SpeechStopped(leg, now, now - 0.2))
        await self.house.run(1.0)

    def configured(self, place: int) -> m.ConfigureLeg:
        """What the worker was told last about a stream."""
        leg = self.leg(place)
        commands = self.house.worker.commands
        return [one for one in commands if isinstance(one, m.ConfigureLeg) and one.leg_id == leg][-1]

    def of(self, kind: type[f.AnyFact]) -> list[Any]:
        return self.house.facts.of(kind)


def test_two_voices_are_recorded_and_written_down_under_their_names(tmp_path: Path) -> None:
    async def story() -> None:
        session = Session(tmp_path)
        await session.begin()
        house = session.house
        one, two = session.leg(0), session.leg(1)
        assert house.signalling.said == ["accept streams [0, 1]"]
        assert house.worker.heard_by(RECORDED_IN) == {one} and house.worker.heard_by(RECORDED_OUT) == {two}
        assert any(isinstance(command, m.StartRecording) for command in house.worker.commands)
        assert not session.configured(0).send and session.machine.control is Control.RECORDED
        await session.speak(0, "good morning")
        await session.speak(1, "hello alice")
        await house.hang_up()
        said = [(one.label, one.name, one.text) for one in session.of(ParticipantSpoke)]
        assert said == [("96", "Alice Adler", "good morning"), ("97", "Bob Brandt", "hello alice")]
        assert [(one.label, one.side) for one in session.of(StreamWasAgreed)] == [("96", "left"), ("97", "right")]
        assert [(one.leg, one.party) for one in session.of(f.MediaWasMeasured)] == [
            ("stream", "96"),
            ("stream", "97"),
        ]
        record = fold(house.facts.entries)
        first = record.transcript[0]
        assert (first.speaker, first.text) == ("Alice Adler", "good morning")
        assert record.described is not None and record.described.participants[0].speaks_in == ("96",)
        assert not house.speaker.asked and not house.agent.turns, "nobody of ours speaks"

    play(story())


def test_metadata_that_cannot_be_read_stops_no_recording() -> None:
    async def story() -> None:
        session = Session()
        await session.begin(document=b"<!DOCTYPE x [<!ENTITY a 'b'>]><recording>&a;</recording>")
        assert session.house.signalling.said == ["accept streams [0, 1]"]
        assert [one.readable for one in session.of(RecordingWasDescribed)] == [False]
        assert session.house.counters.snapshot()["recording_metadata_unreadable"] == 1
        await session.speak(0, "hello")
        assert [(one.label, one.name) for one in session.of(ParticipantSpoke)] == [("96", "")]
        await session.describe(METADATA.encode())
        await session.speak(0, "it is me")
        assert session.of(ParticipantSpoke)[-1].name == "Alice Adler"

    play(story())


def test_streams_pause_come_and_go() -> None:
    async def story() -> None:
        session = Session()
        await session.begin()
        two = session.leg(1)
        await session.offer(stream(0, "96"), stream(1, "97", flows=False))
        assert not session.configured(1).receive
        await session.offer(stream(0, "96"), stream(1, "97"), stream(2, "98"))
        assert session.configured(1).receive and session.leg(1) == two
        assert session.house.worker.heard_by(RECORDED_OUT) == {two, session.leg(2)}
        third = session.leg(2)
        await session.offer(stream(0, "96"), stream(1, "97"))
        assert m.CloseLeg(third) in session.house.worker.commands
        assert [(one.label, one.paused) for one in session.of(StreamWasPaused)] == [("97", True), ("97", False)]
        assert [one.label for one in session.of(StreamHasEnded)] == ["98"]

    play(story())


def test_the_recording_goes_on_while_there_is_no_stream_at_all() -> None:
    async def story() -> None:
        session = Session()
        await session.begin()
        one, two = session.leg(0), session.leg(1)
        await session.offer()
        assert m.CloseLeg(two) in session.house.worker.commands
        assert m.CloseLeg(one) not in session.house.worker.commands and not session.configured(0).receive
        await session.offer(stream(0, "96"))
        assert session.leg(0) == one and session.configured(0).receive

    play(story())


def test_a_third_voice_of_the_same_person_is_on_their_side() -> None:
    more = METADATA.replace(
        '<stream stream_id="s-2"', '<stream stream_id="s-3"><label>98</label></stream><stream stream_id="s-2"'
    )
    more = more.replace("<send>s-1</send>", "<send>s-1</send><send>s-3</send>")

    async def story() -> None:
        session = Session()
        await session.begin(stream(0, "96"), stream(1, "97"), stream(2, "98"), document=more.encode())
        assert session.house.worker.heard_by(RECORDED_IN) == {session.leg(0), session.leg(2)}

    play(story())


def test_an_offer_that_comes_to_nothing_leaves_all_as_it_was() -> None:
    async def story() -> None:
        session = Session()
        await session.begin()
        session.house.signalling.streams = None
        session.house.call.post(RecordingClientSaid(LegStreamsOffered(LEG, (0, 1, 2))))
        await session.house.settle()
        assert [one.place for one in session.machine.streams] == [0, 1]
        session.house.call.post(RecordingClientSaid(LegStreamsChanged(LEG, (stream(0, "96"),))))
        await session.house.settle()
        assert [one.label for one in session.of(StreamHasEnded)] == ["97"]

    play(story())


def test_nothing_to_record_and_no_port_to_record_it_are_refused() -> None:
    async def story() -> None:
        session = Session()
        await session.begin(stream(0, "96"))
        empty, full = Session(), Session()
        empty.house.signalling.streams = ()
        empty.house.call.post(e.CallOffered(LEG))
        await empty.offer(places=())
        assert empty.house.signalling.said == ["reject not_acceptable"]
        full.house.worker.ports = False
        full.house.call.post(e.CallOffered(LEG))
        await full.offer(places=(0, 1))
        assert full.house.signalling.said == ["reject overloaded"]

    play(story())


def test_supervisors_listen_and_can_do_nothing_else() -> None:
    async def story() -> None:
        session = Session()
        await session.begin()
        house, both = session.house, {session.leg(0), session.leg(1)}
        for order in (
            WhisperText("Ada", "hm"),
            MoveCall("Ada", "desk", TransferKind.BLIND),
            Supervise("Ada", SupervisorInput.BARGE, BOSS, "sip:a@b"),
        ):
            asked = house.call.ask(order)
            await house.settle()
            with pytest.raises(Refused):
                asked.result()
        house.call.post(e.SupervisorOffered(BOSS, "Ada", wanted=SupervisorInput.TAKE_OVER))
        await house.settle()
        house.call.post(e.LegConfirmed(BOSS))
        await house.settle()
        assert house.worker.heard_by(BOSS) == both
        house.call.post(e.SupervisorChose(BOSS, SupervisorInput.BARGE))
        await house.settle()
        assert house.worker.heard_by(BOSS) == both and not {edge for edge in house.worker.edges if edge[0] == BOSS}

    play(story())


def test_silence_of_one_is_patience_and_silence_of_all_is_the_end() -> None:
    async def story() -> None:
        session = Session()
        await session.begin()
        house = session.house
        one, two = session.leg(0), session.leg(1)
        house.call.post(m.MediaTimedOut(one, 60_000))
        await house.settle()
        await session.speak(0, "still here")
        house.call.post(m.MediaTimedOut(two, 60_000))
        await house.settle()
        assert "hangup no_media" not in house.signalling.said
        house.call.post(m.MediaTimedOut(one, 20_000))
        await house.settle()
        assert house.signalling.said[-1] == "hangup no_media"

    play(story())


def test_it_goes_on_in_another_media_worker_and_the_client_is_told_of_all_streams_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        session = Session(tmp_path)
        await session.begin()
        house = session.house
        one, two = session.leg(0), session.leg(1)
        path = next(command.path for command in house.worker.commands if isinstance(command, m.StartRecording))
        house.call.post(m.RecordingStarted(house.call.call_id, path, 0.0))
        await house.settle()
        for leg, port in ((one, 50_000), (two, 50_002)):
            house.call.post(m.LegMoved(leg, port))
        await house.settle()
        assert [said for said in house.signalling.said if said.startswith("move")] == [
            "move streams 192.0.2.2 {0: 50000, 1: 50002}"
        ]
        assert [fact.reason for fact in session.of(f.RecordingHasFailed)] == ["the media worker failed"]
        again = [command for command in house.worker.commands if isinstance(command, m.StartRecording)][-1]
        assert again.path == path.replace(".wav", "-2.wav")
        assert len(session.of(f.MediaHasMoved)) == 2
        await session.speak(1, "we go on")
        assert [fact.text for fact in session.of(ParticipantSpoke)] == ["we go on"]
        assert not any(said.startswith("hangup") for said in house.signalling.said)

    play(story())


@pytest.mark.parametrize(
    ("happened", "cause"),
    [(e.ShutdownRequested(), HangupCause.DRAINING), (e.MediaLost(), HangupCause.MEDIA_LOST)],
)
def test_it_ends_without_a_word(happened: e.CallEvent, cause: HangupCause) -> None:
    async def story() -> None:
        session = Session()
        await session.begin()
        session.house.call.post(happened)
        await session.house.settle()
        assert session.house.signalling.said[-1] == f"hangup {cause.value.name}"
        session.house.call.post(e.LegEnded(LEG, cause))
        await session.house.settle()
        assert session.machine.streams == ()

    play(story())
