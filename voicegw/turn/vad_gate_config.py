"""The settings of :mod:`voicegw.turn.vad_gate`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VadGateConfig:
    """Thresholds and times of the gate; 8 kHz."""

    onset_threshold: float = 0.1
    """Probability at which a window may be the beginning of speech, if what follows opens the gate: the first
    window of a word holds only a part of it, and the model hesitates for one or two windows."""
    open_threshold: float = 0.7
    """Probability that opens the gate. Measured on coughs, clicks, DTMF and busy tones: with 0.5 a few of them
    opened it, with 0.7 none; because of the low ``onset_threshold``, speech loses no time by it."""
    close_threshold: float = 0.35
    """Probability below which a window is a pause: lower than ``open_threshold``, so that weak syllables in the
    middle of a sentence do not chop it."""
    min_speech_ms: int = 64
    """Speech this long opens the gate: two windows, which a click or a knock on the microphone does not fill."""
    hang_over_ms: int = 200
    """Pause this long closes the gate: longer than the closure of a stop consonant (up to 150 ms), and the
    endpointing adds its own silence on top."""
    pause_ms: int = 96
    """Pause this long inside open speech is told at once: most are nothing, but some are the end of a turn, and
    whoever prepares an answer wins the time until the gate closes."""
    pre_roll_ms: int = 0
    """The reported onset is this much before the first speech window; measured, that window is right on average."""
    longest_onset_ms: int = 200
    """A hesitation longer than this before the gate opens is noise, not the beginning of the word."""
    level_margin_db: float = 3.0
    """Louder than the background by this much goes to the model: background noise varies by about 1 dB a window,
    and the model itself hears nothing below about 0 dB over the noise."""
    highest_floor_dbov: float = -45.0
    """Backgrounds louder than this are not gated at all: speech may hide in loud noise or in music."""
    quiet_dbov: float = -70.0
    """Quieter than this is an idle line (one step of G.711 is -72 dBov) and the background of a new leg."""
    floor_rise_db_per_s: float = 6.0
    """How fast the background estimate follows a noisier line; only the model's "not speech" lifts it."""
    tail_db: float = 36.0
    """Windows this much below the loudest one of the utterance are its dying away. The model hears speech for 50 to
    110 ms after the last sound that people hear; the gate stays open, but the speech ended before."""
    longest_tail_ms: int = 128
    """No more than this is taken for a tail: after a knock on the microphone a soft voice is still speech."""
    linger_ms: int = 320
    """The model goes on running this long after the level fell: its memory stays warm in short pauses."""
