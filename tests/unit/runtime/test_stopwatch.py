from __future__ import annotations

from voicegw.runtime.stopwatch import Stopwatch


def running() -> Stopwatch:
    watch = Stopwatch()
    watch.restart(speech_ended=10.0, turn_ended=10.7)
    watch.text_final, watch.agent_spoke, watch.audio_made = 10.8, 10.85, 10.95
    return watch


def test_the_stages_add_up_to_the_whole() -> None:
    timing = running().stop(11.0)
    assert timing is not None
    stages = (timing.endpointing_ms, timing.asr_ms, timing.agent_ms, timing.tts_ms, timing.playout_ms)
    assert stages == (700.0, 100.0, 50.0, 100.0, 50.0)
    assert timing.total_ms == sum(stages) == 1000.0


def test_only_the_first_utterance_of_an_answer_is_timed() -> None:
    watch = running()
    assert watch.stop(11.0) is not None
    assert watch.stop(12.0) is None


def test_what_answers_no_turn_is_not_timed() -> None:
    assert Stopwatch().stop(1.0) is None
    watch = running()
    watch.restart(speech_ended=20.0, turn_ended=20.5)
    assert watch.stop(21.0) is None, "the stages of the turn before do not count"
