"""A transfer as it is heard and dialled: the target's leg, the waiting caller's ear, the target's briefing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias, assert_never

from voicegw.agents.agent import Agent, CallerTurn, TurnKind
from voicegw.audio.progress import PROGRESS, progress_tone
from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.call import commands as c
from voicegw.call import events as e
from voicegw.call import facts as f
from voicegw.call.briefing import invite_headers, spoken_summary
from voicegw.call.edges import ANNOUNCER, BRIEFER, MUSIC
from voicegw.call.transfer import TransferConfig
from voicegw.call.transfer_request import Comfort, TransferFailure, TransferRequest
from voicegw.media import messages as m
from voicegw.runtime.announcer import Announcer, AnnouncerLinks
from voicegw.runtime.call_legs import Caller, CallLegs
from voicegw.runtime.hold_music import HoldMusic
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.services import CallServices
from voicegw.runtime.tasks import ChildTasks

Finished: TypeAlias = Callable[[], None]
PostBriefed: TypeAlias = Callable[[e.BriefingFinished], None]
FAILED = {
    TransferFailure.BUSY: "the line is busy",
    TransferFailure.NO_ANSWER: "nobody answers",
    TransferFailure.REFUSED: "the call was refused",
    TransferFailure.HUNG_UP: "the other side hung up",
    TransferFailure.UNREACHABLE: "the number cannot be reached",
    TransferFailure.NOT_POSSIBLE: "a transfer is not possible now",
    TransferFailure.CALLER_GONE: "the caller has gone",
    TransferFailure.FAILED: "the transfer failed",
}
"""Why the agent has the caller back, in words for the agent."""


def failed_turn(failure: TransferFailure) -> CallerTurn:
    """What the agent is told about a transfer that did not come about."""
    return CallerTurn(TurnKind.TRANSFER_FAILED, FAILED[failure])


class TransferDesk:
    """Carries out what the call machine wants of a transfer. Lives in the call task."""

    def __init__(
        self,
        call_id: CallId,
        services: CallServices,
        agent: Agent,
        legs: CallLegs,
        tasks: ChildTasks,
        book: LogBook,
        calling: Caller,
    ) -> None:
        self._config: TransferConfig = services.transfers
        self._legs = legs
        self._book = book
        self._calling = calling
        self._details: dict[LegId, TransferRequest] = {}
        self._comfort = Comfort.NONE
        self._greeted = False
        speaker, media, random = services.speaker, services.media, services.random
        self._to_caller = Announcer(
            AnnouncerLinks(call_id, ANNOUNCER, agent, speaker, media, random, legs.rate_hz), tasks
        )
        self._music = HoldMusic(
            AnnouncerLinks(call_id, MUSIC, agent, speaker, media, random), services.music, lambda: legs.rate_hz
        )
        self._to_target = Announcer(
            AnnouncerLinks(call_id, BRIEFER, agent, speaker, media, random, legs.rate_hz), tasks
        )

    def carry_out(
        self, command: c.DialTarget | c.InviteTarget | c.ComfortCaller | c.BriefTarget, post: PostBriefed
    ) -> None:
        """Do what the call machine asks; ``post`` reaches the call's mailbox."""
        match command:
            case c.DialTarget(request):
                self.dial(request)
            case c.InviteTarget(request):
                self.invite(request)
            case c.ComfortCaller(comfort):
                self.comfort(comfort)
            case c.BriefTarget(leg_id, summary):
                self.brief(leg_id, summary, post)
            case _:
                assert_never(command)

    # ------------------------------------------------------------ the target

    def dial(self, request: TransferRequest) -> None:
        """Get a port for the leg to the target."""
        self._details[request.leg_id] = request
        self._book.note(f.TransferHasProgressed("dialled", 0))
        self._legs.open_towards(request.leg_id, request.uri)

    def invite(self, request: TransferRequest) -> None:
        """Call the target, in the caller's name and with what is known in writing."""
        headers = invite_headers(request.summary, request.details)
        self._legs.invite(request.leg_id, request.uri, replace(self._calling, headers=headers))

    def brief(self, leg_id: LegId, summary: str, post_finished: PostBriefed) -> None:
        """Tell the target what it is about."""
        request = self._details[leg_id]
        told = spoken_summary(summary, request.details)
        self._book.note(f.AnnouncementWasMade("target", told))
        text = " ".join(part for part in (self._config.offered, told, self._config.choice) if part)
        self._to_target.say(text, lambda: post_finished(e.BriefingFinished(leg_id)))

    # ------------------------------------------------------------ the caller

    def comfort(self, comfort: Comfort) -> None:
        """What the waiting caller hears from now on. The end of the waiting is the end of every announcement."""
        self._comfort = comfort
        match comfort:
            case Comfort.NONE:
                self._greeted = False
                self._to_caller.stop()
                self._music.stop()
                self._to_target.stop()
            case Comfort.RINGBACK:
                self._music.play()
                if self._config.connecting and not self._greeted:
                    self._announce(self._config.connecting, self._ring)
                else:
                    self._ring()
            case Comfort.REASSURANCE:
                self._music.play()
                self._reassure()
            case _:
                assert_never(comfort)

    def ended(self, utterance_id: UtteranceId) -> bool:
        """An utterance was played to its end; False if it was not one of these."""
        voices = (self._to_caller, self._music, self._to_target)
        return any(voice.ended(utterance_id) for voice in voices)

    def was_cut(self, cut: m.PlayoutCut) -> None:
        """An utterance of the call, one of these or another, was cut."""
        self._music.was_cut(cut.utterance_id, cut.sent_samples)

    def _ring(self) -> None:
        if self._music.there:
            return
        cadence = PROGRESS[self._config.ringback]["ringback"]
        once = progress_tone("ringback", cadence.on_ms + cadence.off_ms, self._config.ringback)
        self._to_caller.play(once, self._go_on)

    def _reassure(self) -> None:
        self._announce(self._config.waiting, self._go_on, then_quiet_s=self._config.reassure_s)

    def _announce(self, text: str, finished: Finished, then_quiet_s: float = 0.0) -> None:
        self._greeted = True
        self._book.note(f.AnnouncementWasMade("caller", text))
        self._to_caller.say(text, finished, then_quiet_s=then_quiet_s)

    def _go_on(self) -> None:
        match self._comfort:
            case Comfort.RINGBACK:
                self._ring()
            case Comfort.REASSURANCE:
                self._reassure()
            case Comfort.NONE:
                pass
            case _:
                assert_never(self._comfort)
