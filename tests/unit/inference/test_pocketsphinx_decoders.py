"""How many decoders a worker keeps. The decoders are counted, not run."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.inference.test_worker import Gateway
from voicegw.base.ids import StreamId
from voicegw.inference.asr import pocketsphinx_worker
from voicegw.inference.asr.lexicon import Lexicon
from voicegw.inference.asr.model_store import CALLERS, ModelStore
from voicegw.inference.asr.pocketsphinx_worker import GENERAL, MAX_IDLE, SPARE_S, PocketSphinxEngine
from voicegw.inference.asr.recognizer import Recognized
from voicegw.inference.messages import FinishRecognition, OpenRecognition


class Decoder:
    """Of 95 MB, say."""

    made: weakref.WeakSet[Decoder]

    def __init__(self, *_model: object) -> None:
        self.made.add(self)

    def begin(self, channel: str, rate_hz: int) -> None: ...

    def finish(self) -> Recognized:
        return Recognized("yes", 1.0, 500, 10, "")


class House:
    """An engine whose clock stands still until it is told."""

    def __init__(self, gateway: Gateway, folder: Path) -> None:
        self.now = 0.0
        store = ModelStore(folder, Lexicon(folder / "words.dict"), CALLERS)
        self._engine = PocketSphinxEngine(gateway.channel, folder, store, folder / "garbage", lambda: self.now)

    def talk(self, at_once: int) -> None:
        """So many utterances that overlap."""
        streams = [StreamId(str(number)) for number in range(at_once)]
        for stream in streams:
            self._engine.handle(OpenRecognition(stream, GENERAL, ""))
        for stream in streams:
            self._engine.handle(FinishRecognition(stream))


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    Decoder.made = weakref.WeakSet()
    monkeypatch.setattr(pocketsphinx_worker, "Recognizer", Decoder)
    gateway = Gateway()
    yield House(gateway, tmp_path)
    gateway.close()


def test_decoders_are_kept_for_the_next_utterances_up_to_a_bound(house: House) -> None:
    house.talk(3)
    assert len(Decoder.made) == 3
    house.talk(3)
    assert len(Decoder.made) == 3
    house.talk(MAX_IDLE + 4)
    assert len(Decoder.made) == MAX_IDLE


def test_decoders_of_a_busier_hour_are_let_go_but_the_last_one(house: House) -> None:
    house.talk(5)
    house.now = SPARE_S / 2
    house.talk(2)
    assert len(Decoder.made) == 5
    house.now = SPARE_S + 1
    house.talk(1)
    assert len(Decoder.made) == 2, "the two that were wanted since"
    house.now = 10 * SPARE_S
    house.talk(1)
    assert len(Decoder.made) == 1
