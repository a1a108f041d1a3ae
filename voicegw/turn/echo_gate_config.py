"""The settings of :mod:`voicegw.turn.echo_gate`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EchoGateConfig:
    """Levels in dB; ``longest_ms`` of 0 switches the gate off."""

    longest_ms: int = 480
    """The latest echo that is looked for: 400 ms of the line, and what our own jitter buffer adds."""
    first_loss_db: float = 12.0
    """Taken for the loss before anything is known: an echo louder than this is feedback, and rare."""
    most_loss_db: float = 50.0
    """An echo so weak is below what opens a speech gate."""
    margin_db: float = 9.0
    """An echo may be louder than learned by this: levels of frames that do not coincide differ."""
    loud_dbov: float = -45.0
    """Only frames of ours this loud teach anything."""
    floor_dbov: float = -70.0
    """Nothing is learned from how far below this a quiet line is."""
    up_db: float = 1.5
    """A frame that shows more loss lifts what was learned by this much at most: a lost packet is no silence."""
    down_db: float = 0.25
    """And each that shows less lowers it by this, so that about one frame in seven shows more than was learned."""
    own_down_db: float = 0.05
    """The same for a frame that is more than echo: somebody speaks at the same time, or the line has changed, which
    takes some ten seconds of our speech to be believed."""
    clear_db: float = 10.0
    """The loss at the delay of an echo is less by so much than at half of the others, before the delay is told."""
