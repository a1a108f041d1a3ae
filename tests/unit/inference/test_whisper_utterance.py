"""When an utterance is read, how much of it, and what the readings add up to. No engine, no clock."""

from __future__ import annotations

import numpy as np
import pytest

from voicegw.inference.asr.faster_whisper_batch import encoder_frames, next_batch
from voicegw.inference.asr.faster_whisper_config import WhisperConfig
from voicegw.inference.asr.faster_whisper_loudness import Loudness, quietest
from voicegw.inference.asr.faster_whisper_text import Reading
from voicegw.inference.asr.faster_whisper_utterance import Utterance, Wish

CONFIG = WhisperConfig(partial_every_s=1.0, pause_s=0.2)


def loud(seconds: float) -> bytes:
    return np.resize(np.array([3000, -3000], "<i2"), round(seconds * 8000)).tobytes()


def quiet(seconds: float) -> bytes:
    return bytes(round(seconds * 8000) * 2)


def reading(text: str, *, language: str = "en", certain: bool = True, confidence: float = 0.9) -> Reading:
    return Reading(text, confidence, language, certain)


def utterance(*pieces: bytes, language: str = "en-US", known: str = "") -> Utterance:
    made = Utterance(CONFIG, language, known)
    for piece in pieces:
        made.push(piece)
    return made


def test_speech_is_read_every_second() -> None:
    made = utterance(loud(0.9))
    assert made.wish() is Wish.NOTHING
    made.push(loud(0.1))
    assert made.wish() is Wish.PARTIAL
    task = made.begin()
    assert abs(len(task.samples) - 16000) < 300
    made.push(loud(2.0))
    assert made.wish() is Wish.NOTHING, "one reading at a time"
    made.take(reading("one"), 10.0)
    assert made.wish() is Wish.PARTIAL


def test_a_pause_is_read_at_once_and_its_text_is_the_final_one() -> None:
    made = utterance(loud(0.4), quiet(0.1))
    assert made.wish() is Wish.NOTHING
    made.push(quiet(0.1))
    assert made.wish() is Wish.PARTIAL
    made.begin()
    made.take(reading("yes"), 30.0)
    made.push(quiet(0.5))
    assert made.wish() is Wish.NOTHING, "silence is not read twice"
    made.finish()
    assert made.wish() is Wish.ANSWER
    assert (made.text, made.confidence, made.decode_ms, made.heard_language) == ("yes", 0.9, 30.0, "en")
    assert made.audio_ms == pytest.approx(1100.0)


def test_speech_after_the_last_reading_is_read_at_the_finish() -> None:
    made = utterance(loud(1.0))
    made.begin()
    made.take(reading("i want"), 1.0)
    made.push(loud(0.1))
    made.finish()
    assert made.wish() is Wish.FINAL
    made.begin()
    assert made.take(reading("i want tea"), 1.0) is None
    assert made.wish() is Wish.ANSWER and made.text == "i want tea"


def test_a_finish_during_a_reading_of_everything_waits_for_it() -> None:
    made = utterance(loud(1.0))
    made.begin()
    made.finish()
    assert made.wish() is Wish.NOTHING
    made.take(reading("all of it"), 1.0)
    assert made.wish() is Wish.ANSWER


def test_silence_is_never_read() -> None:
    made = utterance(quiet(3.0))
    assert made.wish() is Wish.NOTHING
    made.finish()
    assert made.wish() is Wish.ANSWER
    assert (made.text, made.confidence) == ("", 0.0)


def test_stable_words_are_told_once() -> None:
    made = utterance()
    told = []
    for text in ("i want", "i want tea", "i want tea", "i want tea please"):
        made.push(loud(1.0))
        made.begin()
        told.append(made.take(reading(text), 1.0))
    assert told == [None, "i want", "i want tea", None]


def test_long_speech_is_cut_where_it_is_quietest() -> None:
    made = utterance(loud(25.0), quiet(0.3), loud(5.0))
    assert made.wish() is Wish.PIECE
    task = made.begin()
    assert 25.0 < len(task.samples) / 16000 < 25.3
    assert made.take(reading("the first part", confidence=0.6), 1.0) == "the first part"
    assert made.wish() is Wish.PARTIAL
    assert 4.9 < len(made.begin().samples) / 16000 < 5.3
    made.take(reading("and the rest"), 1.0)
    made.finish()
    assert made.wish() is Wish.ANSWER
    assert (made.text, made.confidence) == ("the first part and the rest", 0.6)


def test_a_backlog_of_a_minute_comes_in_pieces() -> None:
    made = utterance(loud(60.0))
    made.finish()
    wishes = []
    while (wish := made.wish()) is not Wish.ANSWER:
        wishes.append(wish)
        assert len(made.begin().samples) <= 30 * 16000
        made.take(reading("x"), 1.0)
    assert wishes == [Wish.PIECE, Wish.PIECE, Wish.FINAL]
    assert made.text == "x x x"


def test_the_language_is_kept_once_it_is_certain() -> None:
    made = utterance(loud(1.0), language="auto", known="fr")
    assert (made.begin().language, made.begin().known) == ("", "fr")
    made.take(reading("non", language="fr", certain=False), 1.0)
    made.push(loud(1.0))
    assert made.begin().language == ""
    made.take(reading("nein danke", language="de"), 1.0)
    made.push(loud(1.0))
    assert made.begin().language == "de"
    assert made.heard_language == "de"


def test_an_unsure_guess_does_not_become_what_the_caller_spoke_before() -> None:
    made = utterance(loud(1.0), language="auto", known="fr")
    made.begin()
    made.take(reading("nee", language="nl", certain=False), 1.0)
    made.push(loud(1.0))
    assert made.begin().known == "fr"
    assert made.heard_language == "nl"


def test_a_steady_noise_behind_speech_is_not_speech() -> None:
    loudness = Loudness()
    hum = np.resize(np.array([60, -60], np.int16), 1600)
    loudness.push(np.frombuffer(loud(0.5), "<i2"))
    loudness.push(hum)
    assert loudness.loud_until == 4000
    loudness.push(np.frombuffer(loud(0.01), "<i2"))
    assert loudness.loud_until == 4000, "half a frame waits for its other half"
    loudness.push(np.frombuffer(loud(0.01), "<i2"))
    assert loudness.loud_until == 5760


def test_the_quietest_place() -> None:
    pcm = np.full(80000, 1000, np.int16)
    pcm[40000:42000] = 0
    assert 40000 <= quietest(pcm, 16000, 80000) <= 42000


def test_what_somebody_waits_for_is_read_first_and_alone() -> None:
    wishes = [
        (1, Wish.PARTIAL),
        (2, Wish.FINAL),
        (3, Wish.NOTHING),
        (4, Wish.PIECE),
        (5, Wish.FINAL),
        (6, Wish.ANSWER),
    ]
    assert next_batch(wishes, 8) == [2, 4, 5]
    assert next_batch(wishes, 2) == [2, 4]
    assert next_batch([(1, Wish.PARTIAL), (7, Wish.PARTIAL)], 8) == [1, 7]
    assert next_batch([(1, Wish.NOTHING)], 8) == []


@pytest.mark.parametrize(
    ("seconds", "window_s", "frames"),
    [(3.0, 30.0, 3000), (3.0, 10.0, 1000), (15.0, 10.0, 1550), (29.9, 10.0, 3000)],
)
def test_no_speech_is_left_out_by_a_short_window(seconds: float, window_s: float, frames: int) -> None:
    assert encoder_frames(round(seconds * 16000), window_s) == frames
    assert encoder_frames(round(seconds * 16000) + 160, window_s) % 2 == 0
