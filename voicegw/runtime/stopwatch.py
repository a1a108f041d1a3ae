"""The time of one turn, stage by stage: from the caller's last sound to the agent's first."""

from __future__ import annotations

from dataclasses import dataclass

from voicegw.call.facts import TurnWasTimed


@dataclass(slots=True)
class Stopwatch:
    """Monotonic seconds of the stages of the running turn; 0.0 is not reached yet."""

    speech_ended: float = 0.0
    turn_ended: float = 0.0
    text_final: float = 0.0
    agent_spoke: float = 0.0
    audio_made: float = 0.0
    waited_ms: float = 0.0
    speculated: bool = False

    def restart(self, *, speech_ended: float, turn_ended: float, waited_ms: float = 0.0) -> None:
        """The turn is over."""
        self.speech_ended, self.turn_ended, self.waited_ms = speech_ended, turn_ended, waited_ms
        self.speculated = False
        self.text_final = self.agent_spoke = self.audio_made = 0.0

    def stop(self, audible_at: float) -> TurnWasTimed | None:
        """The first sample left at ``audible_at``; None if this utterance answers no turn."""
        if not (self.speech_ended and self.text_final and self.agent_spoke and self.audio_made):
            return None
        total_ms = _ms(self.speech_ended, audible_at)
        timing = TurnWasTimed(
            endpointing_ms=_ms(self.speech_ended, self.turn_ended),
            asr_ms=_ms(self.turn_ended, self.text_final),
            agent_ms=_ms(self.text_final, self.agent_spoke),
            tts_ms=_ms(self.agent_spoke, self.audio_made),
            playout_ms=_ms(self.audio_made, audible_at),
            total_ms=total_ms,
            waited_ms=self.waited_ms,
            speculated=self.speculated,
        )
        self.speech_ended = 0.0
        return timing


def _ms(earlier: float, later: float) -> float:
    return round((later - earlier) * 1000, 1)
