"""The call machine of a recording session (SIPREC, RFC 7866): others talk, and nobody of ours does.

One leg is the dialog with the recording client; it has no audio of its own but streams, each with a port and a leg
in the media worker. Supervisors come and go as in any call, and all that they can do is to listen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from voicegw.base.causes import HangupCause
from voicegw.base.ids import LegId
from voicegw.call import commands as c
from voicegw.call import events as e
from voicegw.call.call_config import CallConfig
from voicegw.call.edges import RECORDED_IN, RECORDED_OUT, Edge, ear_of
from voicegw.call.legs import CallLeg
from voicegw.call.machine import CallMachine
from voicegw.call.states import Control, LegRole, LegTrigger
from voicegw.call.supervision import SupervisionConfig, SupervisorInput, SupervisorMode


@dataclass(frozen=True, slots=True)
class StreamsOffered:
    """The client offers streams: the numbers of their sections, each with the id of a leg, should it be new."""

    streams: tuple[tuple[int, LegId], ...]


@dataclass(frozen=True, slots=True)
class AgreedStream:
    """``participant``: whose voice it is, by their id; empty where nobody knows. ``flows``: it is not paused."""

    place: int
    label: str
    participant: str
    flows: bool


@dataclass(frozen=True, slots=True)
class StreamsAgreed:
    """Offer and answer are complete: these streams there are, and no others."""

    streams: tuple[AgreedStream, ...]


@dataclass(frozen=True, slots=True)
class StreamsRefused:
    """The last offer came to nothing: all stays as it was before."""


RecordingEvent: TypeAlias = StreamsOffered | StreamsAgreed | StreamsRefused


@dataclass(slots=True)
class Stream:
    """One stream: a section of the session description, and a leg in the media worker.

    ``sink``: the side of the recording that it is on, once it is agreed. ``silent_ms``: how long nothing has come.
    """

    leg_id: LegId
    place: int
    label: str = ""
    participant: str = ""
    sink: str = ""
    is_open: bool = False
    flows: bool = False
    silent_ms: int = 0


class RecordingMachine(CallMachine):
    """One recording session. It is recorded from our answer on, without waiting for the ACK."""

    def __init__(self, config: CallConfig, supervision: SupervisionConfig | None = None) -> None:
        super().__init__(config, None, supervision)
        self._streams: dict[int, Stream] = {}
        self._answer_is_due = False

    @property
    def control(self) -> Control:
        """Nobody of ours talks with anybody."""
        return Control.RECORDED

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams, in the order of their sections; not to be changed from outside."""
        return tuple(self._streams[place] for place in sorted(self._streams))

    def stream_of(self, leg_id: LegId) -> Stream | None:
        """The stream of this leg of the media worker."""
        return next((stream for stream in self._streams.values() if stream.leg_id == leg_id), None)

    def handle_recording(self, event: RecordingEvent, now: float) -> list[c.CallCommand]:
        """What :meth:`handle` is for the events of every call."""
        match event:
            case StreamsOffered():
                commands = self._streams_offered(event)
            case StreamsAgreed():
                commands = self._streams_agreed(event, now)
            case StreamsRefused():
                commands = self._drop(stream for stream in self.streams if not stream.sink)
        return [*self._remix(), *commands, *self._finish()]

    # ------------------------------------------------------------ streams

    def _streams_offered(self, event: StreamsOffered) -> list[c.CallCommand]:
        caller = self._caller()
        if caller is None or caller.over:
            return []
        if not event.streams and not caller.answered:
            return self._end_all(HangupCause.NOT_ACCEPTABLE)
        commands: list[c.CallCommand] = []
        for place, leg_id in event.streams:
            if place not in self._streams:
                self._streams[place] = Stream(leg_id, place)
                commands.append(c.OpenMedia(leg_id))
        self._answer_is_due = True
        return [*commands, *self._answer(caller)]

    def _answer(self, caller: CallLeg) -> list[c.CallCommand]:
        """Answer once every new stream has a port, or is known to get none."""
        if not self._answer_is_due or any(not stream.is_open for stream in self._streams.values()):
            return []
        self._answer_is_due = False
        return [c.AnswerLeg(caller.leg_id)]

    def _media_opened(self, event: e.MediaOpened) -> list[c.CallCommand]:
        stream, caller = self.stream_of(event.leg_id), self._caller()
        if event.leg_id in self.legs:
            return super()._media_opened(event)
        if stream is None or caller is None or caller.over:
            return [c.CloseMedia(event.leg_id)]
        stream.is_open = True
        return self._answer(caller)

    def _media_refused(self, event: e.MediaRefused, now: float) -> list[c.CallCommand]:
        stream, caller = self.stream_of(event.leg_id), self._caller()
        if stream is None or caller is None:
            return super()._media_refused(event, now) if event.leg_id in self.legs else []
        del self._streams[stream.place]
        if not self._streams and not caller.answered:
            return self._end_all(HangupCause.OVERLOADED)
        return self._answer(caller)

    def _streams_agreed(self, event: StreamsAgreed, now: float) -> list[c.CallCommand]:
        caller = self._caller()
        if caller is None or caller.over:
            return []
        agreed = {one.place: one for one in event.streams}
        for stream in self.streams:
            if (one := agreed.get(stream.place)) is None:
                stream.flows = False
                continue
            stream.label, stream.participant, stream.flows = one.label, one.participant, one.flows
            stream.silent_ms = 0
            stream.sink = stream.sink or self._side_of(stream)
        gone = [stream for stream in self.streams if stream.place not in agreed]
        # With its last leg the media worker ends the recording, too: one stream stays open, deaf, until there is
        # another one.
        commands = self._drop(gone if agreed else gone[1:])
        if not caller.answered:
            caller.step(LegTrigger.ANSWER)
            caller.agreed = True
            return [*commands, *self._start_agent(now)]
        return commands

    def _side_of(self, stream: Stream) -> str:
        """The first voice is on the left and the others are on the right, but nobody's voice is on both sides."""
        others = [one for one in self.streams if one.sink]
        own = next((one.sink for one in others if stream.participant and one.participant == stream.participant), "")
        return own or (RECORDED_OUT if any(one.sink == RECORDED_IN for one in others) else RECORDED_IN)

    def _drop(self, streams: Iterable[Stream]) -> list[c.CallCommand]:
        commands: list[c.CallCommand] = []
        for stream in list(streams):
            del self._streams[stream.place]
            if stream.is_open:
                commands.append(c.CloseMedia(stream.leg_id))
        return commands

    # ------------------------------------------------------------ what is otherwise than in a call of our own

    def _route_chosen(self, event: e.RouteChosen, _now: float) -> list[c.CallCommand]:
        self._agent = event.agent
        return []

    def _leg_ready(self, leg: CallLeg, now: float) -> list[c.CallCommand]:
        return super()._leg_ready(leg, now) if leg.role is LegRole.SUPERVISOR else []

    def _handle(self, event: e.CallEvent, now: float) -> list[c.CallCommand]:
        if isinstance(event, e.MediaHeard) and (stream := self.stream_of(event.leg_id)) is not None:
            stream.silent_ms = 0
            return []
        return super()._handle(event, now)

    def _media_silent(self, event: e.MediaSilent) -> list[c.CallCommand]:
        """One who says nothing may be left without packets; where nothing at all comes, the client is gone."""
        stream = self.stream_of(event.leg_id)
        if stream is None:
            return super()._media_silent(event)
        stream.silent_ms = event.silent_ms
        flowing = [one for one in self._streams.values() if one.flows]
        if flowing and all(one.silent_ms >= self._config.no_media_ms for one in flowing):
            return self._end_all(HangupCause.NO_MEDIA)
        return []

    def _remix(self) -> list[c.CallCommand]:
        caller = self._caller()
        if caller is None or caller.over or not self._agent_started:
            return []
        listening = (one.leg_id for one in self.supervisors if one.mode is not SupervisorMode.NONE)
        edges = recording_edges(self.streams, tuple(listening))
        if edges == self._edges:
            return []
        self._edges = edges
        return [c.ChangeMix(edges)]

    def _supervisor_chose(self, leg_id: LegId, _happened: SupervisorInput, now: float) -> list[c.CallCommand]:
        """There is nobody whom they could talk to."""
        return super()._supervisor_chose(leg_id, SupervisorInput.LISTEN, now)

    def _part(self, cause: HangupCause, _now: float) -> list[c.CallCommand]:
        """Nobody would hear a goodbye."""
        return self._end_all(cause)

    def _leg_ended(self, event: e.LegEnded, now: float) -> list[c.CallCommand]:
        commands = super()._leg_ended(event, now)
        is_client = self.legs[event.leg_id].role is LegRole.CALLER
        return [*commands, *self._drop(self.streams)] if is_client else commands


def recording_edges(streams: Iterable[Stream], listening: tuple[LegId, ...]) -> tuple[Edge, ...]:
    """Who hears whom: each stream its side of the recording, its own ear, and all supervisors."""
    pairs: list[tuple[str, str]] = []
    for stream in streams:
        if stream.sink:
            pairs += [(stream.leg_id, stream.sink), (stream.leg_id, ear_of(stream.leg_id))]
            pairs += [(stream.leg_id, supervisor) for supervisor in listening]
    return tuple((source, sink, 1.0) for source, sink in pairs)
