"""When a silence is the end of a turn: how long to wait after the last speech, given what was said so far."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EndpointingConfig:
    """Silences in milliseconds, counted from the last speech, not from the detector's decision."""

    silence_ms: int = 700
    """Ordinary end of a turn. People pause up to about half a second inside a sentence."""
    complete_silence_ms: int = 400
    """When the text so far answers the question in full ("yes", six digits): there is nothing to wait for."""
    patient_silence_ms: int = 1300
    """While a number or a name is dictated and is not complete: people read in groups, with long pauses."""
    max_turn_ms: int = 20_000
    """A turn longer than this is ended: a radio or a noisy line must not silence the agent for ever."""


def silence_needed_ms(config: EndpointingConfig, *, complete: bool, patient: bool) -> int:
    """Milliseconds of silence that end the turn."""
    if complete:
        return config.complete_silence_ms
    if patient:
        return config.patient_silence_ms
    return config.silence_ms
