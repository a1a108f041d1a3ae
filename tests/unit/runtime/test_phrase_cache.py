from __future__ import annotations

from voicegw.ports.tts import TtsAudio, TtsRequest, WordMark
from voicegw.runtime.phrase_cache import PhraseCache

HELLO = (TtsAudio(bytes(1000)), WordMark(0, 0, 5))


def test_a_sentence_is_known_by_engine_text_voice_and_rate() -> None:
    cache = PhraseCache()
    cache.put("flite", TtsRequest("Hello.", voice="slt"), HELLO)
    assert cache.get("flite", TtsRequest("Hello.", voice="slt")) == HELLO
    assert cache.get("espeak", TtsRequest("Hello.", voice="slt")) == ()
    assert cache.get("flite", TtsRequest("Hello.", voice="awb")) == ()
    assert cache.get("flite", TtsRequest("Hello.", voice="slt", rate=1.2)) == ()


def test_what_was_not_used_for_longest_makes_room() -> None:
    cache = PhraseCache(limit_bytes=2500)
    one, two, three = (TtsRequest(text) for text in ("one", "two", "three"))
    cache.put("flite", one, HELLO)
    cache.put("flite", two, HELLO)
    cache.get("flite", one)
    cache.put("flite", three, HELLO)
    assert [bool(cache.get("flite", request)) for request in (one, two, three)] == [True, False, True]


def test_a_sentence_larger_than_the_memory_is_not_kept() -> None:
    cache = PhraseCache(limit_bytes=500)
    cache.put("flite", TtsRequest("Hello."), HELLO)
    assert cache.get("flite", TtsRequest("Hello.")) == ()


def test_a_repeated_sentence_counts_once() -> None:
    cache = PhraseCache(limit_bytes=1500)
    for _ in range(3):
        cache.put("flite", TtsRequest("Hello."), HELLO)
    assert cache.get("flite", TtsRequest("Hello.")) == HELLO
