from __future__ import annotations

from voicegw.ports.tts import TtsAudio, TtsRequest, WordMark
from voicegw.runtime.phrase_cache import PhraseCache

HELLO = (TtsAudio(bytes(1000)), WordMark(0, 0, 5))
ONE, TWO, THREE = (TtsRequest(text) for text in ("one", "two", "three"))


def knows(cache: PhraseCache, request: TtsRequest) -> bool:
    return cache.get("flite", request) == HELLO


def prove(cache: PhraseCache, request: TtsRequest) -> None:
    """Say it a second time."""
    cache.put("flite", request, HELLO)
    assert knows(cache, request)


def test_a_sentence_is_known_by_engine_text_voice_and_rate() -> None:
    cache = PhraseCache()
    cache.put("flite", TtsRequest("Hello.", voice="slt"), HELLO)
    assert knows(cache, TtsRequest("Hello.", voice="slt"))
    assert cache.get("espeak", TtsRequest("Hello.", voice="slt")) == ()
    assert not knows(cache, TtsRequest("Hello.", voice="awb"))
    assert not knows(cache, TtsRequest("Hello.", voice="slt", rate=1.2))


def test_what_was_not_used_for_longest_makes_room() -> None:
    cache = PhraseCache(proven_bytes=2500)
    prove(cache, ONE)
    prove(cache, TWO)
    assert knows(cache, ONE)
    prove(cache, THREE)
    assert [knows(cache, request) for request in (ONE, TWO, THREE)] == [True, False, True]


def test_what_is_said_once_does_not_push_out_what_is_said_often() -> None:
    cache = PhraseCache(proven_bytes=2500, new_bytes=2500)
    prove(cache, ONE)
    for number in range(1000):
        cache.put("flite", TtsRequest(f"You are number {number}."), HELLO)
    assert knows(cache, ONE)
    assert not knows(cache, TtsRequest("You are number 0."))
    assert knows(cache, TtsRequest("You are number 999."))


def test_a_sentence_larger_than_the_memory_is_not_kept() -> None:
    cache = PhraseCache(new_bytes=500)
    cache.put("flite", ONE, HELLO)
    assert not knows(cache, ONE)


def test_a_sentence_without_audio_is_not_kept() -> None:
    cache = PhraseCache()
    cache.put("flite", ONE, ())
    assert cache.get("flite", ONE) == ()


def test_a_repeated_sentence_counts_once() -> None:
    cache = PhraseCache(proven_bytes=1500, new_bytes=1500)
    for _ in range(5):
        cache.put("flite", ONE, HELLO)
    assert knows(cache, ONE) and knows(cache, ONE)
