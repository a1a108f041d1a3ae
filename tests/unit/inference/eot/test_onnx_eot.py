"""End-of-turn models through the real loading code."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from tests.unit.inference.eot import tiny
from voicegw.base.errors import ConfigError, ProviderError
from voicegw.dialplan.yaml_lines import ConfigProblems
from voicegw.inference.registry import make_eot
from voicegw.inference.settings import EngineSettings
from voicegw.ports.eot import EotCapabilities, EotModel, EotQuestion
from voicegw.testing.manual_clock import ManualClock

T = TypeVar("T")

READS = EotCapabilities(text=True, audio=False)


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def tone(ms: int, value: int = 16384) -> bytes:
    return np.full(ms * 8, value, "<i2").tobytes()


def made(models_dir: Path, name: str, clock: ManualClock | None = None) -> EotModel:
    settings = (
        EngineSettings(models_dir=models_dir, clock=clock) if clock else EngineSettings(models_dir=models_dir)
    )
    model = make_eot(name, settings)
    assert model is not None
    return model


def ask(models_dir: Path, name: str, *questions: EotQuestion) -> list[float]:
    async def story(model: EotModel) -> list[float]:
        return [await model.probability(question) for question in questions]

    return with_model(made(models_dir, name), story)


def with_model(model: EotModel, story: Callable[[EotModel], Awaitable[T]]) -> T:
    async def run() -> T:
        await model.start()
        try:
            return await story(model)
        finally:
            await model.close()

    return asyncio.run(run())


# ------------------------------------------------------------ what goes in


def test_a_model_that_reads_weighs_the_last_words(tmp_path: Path) -> None:
    tiny.reader(tmp_path / "eot")
    model = made(tmp_path, "reader")
    assert model.capabilities == READS
    texts = ("Please, bye", "two and", "and bye please bye ?", "")
    got = ask(tmp_path, "reader", *(EotQuestion(text) for text in texts))
    assert got == [pytest.approx(sigmoid(logit)) for logit in (5.0, -3.0, 4 + 1 + 4 + 2, 0.0)]


def test_a_model_that_listens_hears_the_end_of_the_turn_with_silence_in_front(tmp_path: Path) -> None:
    sidecar = "audio: {features: waveform, input: x, rate_hz: 8000, window_ms: 200}\noutput: {name: y}\n"
    tiny.listener(tmp_path / "eot", "ear", sidecar, 1, 1600)
    model = made(tmp_path, "ear")
    assert (model.capabilities.sample_rate_hz, model.capabilities.audio_ms) == (8000, 200)
    full, half, longer = (EotQuestion("", pcm=pcm) for pcm in (tone(200), tone(100), tone(900, 8192) + tone(200)))
    assert ask(tmp_path, "ear", full, half, longer) == [pytest.approx(p) for p in (0.5, 0.25, 0.5)]


def test_a_model_of_16_khz_is_given_the_line_at_its_rate(tmp_path: Path) -> None:
    sidecar = "audio: {features: waveform, input: x, window_ms: 200}\noutput: {name: y}\n"
    tiny.listener(tmp_path / "eot", "ear", sidecar, 1, 3200)
    (heard,) = ask(tmp_path, "ear", EotQuestion("", pcm=tone(200)))
    assert heard == pytest.approx(0.5, abs=0.01)


def test_a_model_may_want_whispers_spectrogram(tmp_path: Path) -> None:
    sidecar = "audio: {features: whisper, input: x, window_ms: 8000, normalise: true}\noutput: {name: y}\n"
    tiny.listener(tmp_path / "eot", "ear", sidecar, 1, 80, 800)
    noise = np.random.default_rng(1).normal(0, 3000, 64_000).astype("<i2").tobytes()
    (loud,) = ask(tmp_path, "ear", EotQuestion("", pcm=noise))
    assert 0.0 < loud <= 1.0


def test_a_tokenizer_of_the_library_reads_question_and_answer(tmp_path: Path) -> None:
    tiny.reader(tmp_path / "eot")
    words = {word or "[UNK]": number for number, word in enumerate(tiny.WORDS)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "eot" / "tokenizer.json"))
    (tmp_path / "eot" / "reader.yaml").write_text(
        "text: {tokenizer: tokenizers, vocabulary: tokenizer.json, mask: attention_mask,"
        " template: '{asked} {text}'}\noutput: {name: y, kind: logit}\n"
    )
    assert ask(tmp_path, "reader", EotQuestion("and", asked="please ?")) == [pytest.approx(sigmoid(1 + 2 - 3))]


# ------------------------------------------------------------ what comes out


def test_classes_and_the_next_token_are_shares(tmp_path: Path) -> None:
    tiny.voter(tmp_path / "eot", "classes", "classes", 1)
    tiny.voter(tmp_path / "eot", "next", "next_token", 1)
    assert ask(tmp_path, "classes", EotQuestion("bye")) == [pytest.approx(sigmoid(4.0))]
    assert ask(tmp_path, "next", EotQuestion("and", asked="bye")) == [pytest.approx(sigmoid(-3.0))]


def test_an_output_that_is_not_as_the_file_says_is_found_at_the_start(tmp_path: Path) -> None:
    tiny.voter(tmp_path / "eot", "outside", "classes", 7)
    tiny.reader(tmp_path / "eot")
    plain = (tmp_path / "eot" / "reader.yaml").read_text()
    for text in (plain.replace("name: y", "name: z"), plain.replace("mask: attention_mask, ", "")):
        (tmp_path / "eot" / "reader.yaml").write_text(text)
        with pytest.raises(ProviderError) as caught:
            ask(tmp_path, "reader")
        assert not caught.value.retryable
    with pytest.raises(ProviderError, match="no output 7"):
        ask(tmp_path, "outside")


def test_a_number_beyond_one_is_no_opinion(tmp_path: Path) -> None:
    tiny.reader(tmp_path / "eot")
    sidecar = tmp_path / "eot" / "reader.yaml"
    sidecar.write_text(sidecar.read_text().replace("kind: logit", "kind: probability"))
    with pytest.raises(ProviderError, match=r"4\.0 is no probability") as caught:
        ask(tmp_path, "reader", EotQuestion("bye"))
    assert caught.value.retryable


# ------------------------------------------------------------ no opinion


def test_a_slow_model_has_no_opinion_and_holds_nobody_up(tmp_path: Path) -> None:
    tiny.brooder(tmp_path / "eot", 300_000)

    async def story(model: EotModel) -> None:
        with pytest.raises(ProviderError, match="no opinion in time") as caught:
            await model.probability(EotQuestion("and and and and"))
        assert caught.value.retryable

    with_model(made(tmp_path, "brooder"), story)


def test_a_question_that_waited_too_long_in_the_queue_is_not_thought_about(tmp_path: Path) -> None:
    tiny.reader(tmp_path / "eot", sidecar="deadline_ms: 50\n")

    class Late(ManualClock):
        def monotonic(self) -> float:
            return self.advance(0.1)

    async def story(model: EotModel) -> None:
        with pytest.raises(ProviderError, match="no opinion in time"):
            await model.probability(EotQuestion("bye"))

    with_model(made(tmp_path, "reader", Late()), story)


def test_a_language_that_it_does_not_know(tmp_path: Path) -> None:
    tiny.reader(tmp_path / "eot", sidecar="languages: [en]\n")
    assert ask(tmp_path, "reader", EotQuestion("bye", language="en-GB")) == [pytest.approx(sigmoid(4.0))]
    with pytest.raises(ProviderError, match="does not know de-DE") as caught:
        ask(tmp_path, "reader", EotQuestion("bye", language="de-DE"))
    assert not caught.value.retryable


def test_before_the_start_and_after_the_end_there_is_no_opinion(tmp_path: Path) -> None:
    tiny.reader(tmp_path / "eot")
    model = made(tmp_path, "reader")
    with pytest.raises(ProviderError, match="not running"):
        asyncio.run(model.probability(EotQuestion("bye")))

    async def story(_model: EotModel) -> None:
        pass

    with_model(model, story)
    with pytest.raises(ProviderError, match="not running"):
        asyncio.run(model.probability(EotQuestion("bye")))
    with pytest.raises(ProviderError, match="closed"):
        asyncio.run(model.start())


# ------------------------------------------------------------ files


def test_no_name_is_no_model() -> None:
    assert make_eot("", EngineSettings()) is None


def test_a_model_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"put reader\.onnx and reader\.yaml there"):
        made(tmp_path, "reader")
    tiny.reader(tmp_path / "eot")
    with pytest.raises(ConfigError, match="one of: reader"):
        made(tmp_path, "raeder")


def test_a_damaged_file_is_a_provider_error(tmp_path: Path) -> None:
    tiny.reader(tmp_path / "eot")
    (tmp_path / "eot" / "reader.onnx").write_bytes(b"not a model")
    with pytest.raises(ProviderError, match="reader"):
        ask(tmp_path, "reader")


@pytest.mark.parametrize(
    ("sidecar", "complaint"),
    [
        ("output: {name: y}\n", "needs 'text', 'audio' or both"),
        ("audio: {features: whisper, input: x, rate_hz: 8000}\noutput: {name: y}\n", "16000 Hz"),
        ("text: {tokenizer: words, vocabulary: lost.txt}\noutput: {name: y}\n", "no 'lost.txt' beside it"),
        ("text: {tokenizer: word, vocabulary: words.txt}\noutput: {name: y}\n", "did you mean 'words'"),
    ],
)
def test_a_sidecar_that_cannot_work_is_refused(tmp_path: Path, sidecar: str, complaint: str) -> None:
    tiny.reader(tmp_path / "eot")
    (tmp_path / "eot" / "reader.yaml").write_text(sidecar)
    with pytest.raises((ConfigError, ConfigProblems), match=complaint):
        made(tmp_path, "reader")
