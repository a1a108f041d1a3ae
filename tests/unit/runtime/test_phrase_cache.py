from __future__ import annotations

from voicegw.ports.tts import TtsAudio, TtsRequest, WordMark
from voicegw.runtime.phrase_cache import REMEMBERED_ONCE, PhraseCache

HELLO = (TtsAudio(bytes(1000)), WordMark(0, 0, 5))


def keep(cache: PhraseCache, request: TtsRequest) -> None:
    """Make a sentence as often as it takes to be kept."""
    cache.put("flite", request, HELLO)
    cache.put("flite", request, HELLO)


def test_a_sentence_is_known_by_engine_text_voice_and_rate() -> None:
    cache = PhraseCache()
    keep(cache, TtsRequest("Hello.", voice="slt"))
    assert cache.get("flite", TtsRequest("Hello.", voice="slt")) == HELLO
    assert cache.get("espeak", TtsRequest("Hello.", voice="slt")) == ()
    assert cache.get("flite", TtsRequest("Hello.", voice="awb")) == ()
    assert cache.get("flite", TtsRequest("Hello.", voice="slt", rate=1.2)) == ()


def test_what_was_not_used_for_longest_makes_room() -> None:
    cache = PhraseCache(limit_bytes=2500)
    one, two, three = (TtsRequest(text) for text in ("one", "two", "three"))
    keep(cache, one)
    keep(cache, two)
    cache.get("flite", one)
    keep(cache, three)
    assert [bool(cache.get("flite", request)) for request in (one, two, three)] == [True, False, True]


def test_a_sentence_larger_than_the_memory_is_not_kept() -> None:
    cache = PhraseCache(limit_bytes=500)
    keep(cache, TtsRequest("Hello."))
    assert cache.get("flite", TtsRequest("Hello.")) == ()


def test_a_repeated_sentence_counts_once() -> None:
    cache = PhraseCache(limit_bytes=1500)
    for _ in range(5):
        cache.put("flite", TtsRequest("Hello."), HELLO)
    assert cache.get("flite", TtsRequest("Hello.")) == HELLO


def test_what_is_said_once_is_not_kept_however_often_that_happens() -> None:
    cache = PhraseCache()
    for number in range(REMEMBERED_ONCE + 1):
        cache.put("flite", TtsRequest(f"You are number {number}."), HELLO)
    cache.put("flite", TtsRequest("You are number 0."), HELLO)  # so long ago that it counts as the first time
    assert cache.get("flite", TtsRequest("You are number 0.")) == ()
    cache.put("flite", TtsRequest("You are number 9."), HELLO)
    assert cache.get("flite", TtsRequest("You are number 9.")) == HELLO
