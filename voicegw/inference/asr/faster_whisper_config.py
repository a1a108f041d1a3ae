"""What an administrator says about the Whisper recogniser."""

from __future__ import annotations

from dataclasses import dataclass

from voicegw.base.errors import ConfigError

_LEAST_WINDOW_S, _MOST_WINDOW_S = 1.0, 30.0
DEVICES = ("cpu", "cuda", "auto")


@dataclass(frozen=True, slots=True)
class WhisperConfig:
    """The model, the machine it runs on, and how often an unfinished utterance is read again."""

    model: str = "whisper-base"
    """A folder in CTranslate2 format: a path, or a name in the folder of models."""
    device: str = "cpu"
    """``cpu``, ``cuda`` or ``auto``."""
    compute_type: str = "int8"
    """``int8`` for processors; ``float16`` or ``int8_float16`` for a GPU."""
    cpu_threads: int = 0
    """Threads of one decoding; 0 lets the engine choose (up to four)."""
    max_batch: int = 8
    """Callers whose speech is decoded at once. A GPU takes 16 or more almost for the price of one; a processor
    takes as many times longer."""
    beam_size: int = 1
    """Sentences followed side by side; 5 is a little more exact and several times slower."""
    encoder_window_s: float = 30.0
    """What the encoder is given at least, filled up with silence; longer speech gets what it needs. Less than the
    30 s of its training costs exactness and saves time in proportion."""
    partial_every_s: float = 1.0
    """New audio after which an unfinished utterance is decoded again; 0 for never."""
    pause_s: float = 0.2
    """Quiet after speech that starts a decoding at once: if the caller has finished, its text is the final one."""
    languages: tuple[str, ...] = ()
    """Languages to choose among for ``auto``, such as ``("en", "fr")``; empty for all of the model."""
    language_certain: float = 0.7
    """From this probability on the language is believed, and kept to the end of the utterance. Below, the
    language that this caller spoke before is taken, if there is one."""
    stall_after_s: float = 20.0
    """No result for this long and the worker is replaced. Above the longest decoding of the largest model."""
    start_within_s: float = 180.0
    """Loading a large model from a cold disk."""
    max_rss_mb: int = 16384
    """A worker above this is replaced when its calls are done."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        if not _LEAST_WINDOW_S <= self.encoder_window_s <= _MOST_WINDOW_S:
            raise ConfigError(f"encoder_window_s is {self.encoder_window_s}", fix="from 1 to 30 seconds")
        if self.device not in DEVICES:
            raise ConfigError(f"there is no device {self.device!r}", fix=f"one of: {', '.join(DEVICES)}")
        for name, value, least in (
            ("max_batch", self.max_batch, 1),
            ("beam_size", self.beam_size, 1),
            ("cpu_threads", self.cpu_threads, 0),
            ("partial_every_s", self.partial_every_s, 0),
            ("pause_s", self.pause_s, 0),
        ):
            if value < least:
                raise ConfigError(f"{name} is {value}", fix=f"at least {least}")
