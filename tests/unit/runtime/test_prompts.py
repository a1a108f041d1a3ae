"""Prompts: made ahead, kept on disk, played without an engine, and forgotten when nobody says them any more."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scenarios.house import OneSession, ScriptedAgent
from tests.unit.runtime.test_speech import NoAsr, said
from voicegw.base.errors import ProviderError
from voicegw.base.metrics import Counters
from voicegw.ports.tts import TtsAudio, TtsCapabilities, TtsChunk, TtsRequest, WordMark
from voicegw.runtime.house_texts import HouseTexts
from voicegw.runtime.phrase_cache import PhraseCache
from voicegw.runtime.prompt_files import PromptFiles, file_name
from voicegw.runtime.speech import Speech

HELLO, BYE = "Hello and welcome.", "That was all."


class Voice:
    """One piece of audio a sentence, unless it is dead."""

    def __init__(self, name: str, *, dead: bool = False, version: str = "1") -> None:
        self.name = name
        self.capabilities = TtsCapabilities(streaming=True, word_marks=True, version=version)
        self.dead = dead
        self.asked: list[str] = []

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def synthesize(self, request: TtsRequest) -> AsyncIterator[TtsChunk]:
        self.asked.append(request.text)
        if self.dead:
            raise ProviderError(self.name, "dead", retryable=True)
        yield WordMark(0, 0, 5)
        yield TtsAudio(f"{self.name}:{request.text}".encode())


@dataclass
class Installation:
    """A directory, and agents that say some texts."""

    folder: Path

    def speech(self, *voices: Voice, counters: Counters | None = None) -> Speech:
        return Speech(
            NoAsr(),
            voices,
            counters or Counters(),
            prompt_files=PromptFiles(self.folder / "prompts"),
            house=HouseTexts(),
        )

    @property
    def files(self) -> list[Path]:
        return sorted((self.folder / "prompts").iterdir())


def agent(*texts: str) -> OneSession:
    return OneSession(ScriptedAgent([]), texts=texts)


async def prepared(speech: Speech, *texts: str) -> None:
    await speech.prepare([agent(*texts)])
    await speech.prompts.wait()


def run(body: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(body())


def test_prompts_are_made_ahead_and_play_without_the_engine(tmp_path: Path) -> None:
    async def story() -> None:
        voice, counters = Voice("a"), Counters()
        speech = Installation(tmp_path).speech(voice, counters=counters)
        await prepared(speech, HELLO, BYE)
        assert sorted(set(voice.asked)) == sorted(voice.asked)
        assert {HELLO, BYE, "One moment, please."} <= set(voice.asked)
        voice.asked.clear()
        assert await said(speech, HELLO) == [b"a:Hello and welcome."]
        assert voice.asked == []
        assert counters.get("tts_from_prompts") == 1
        await speech.close()

    run(story)


def test_they_outlive_the_server_and_play_when_every_engine_is_dead(tmp_path: Path) -> None:
    async def story() -> None:
        house = Installation(tmp_path)
        first = house.speech(Voice("a"))
        await prepared(first, HELLO)
        await first.close()
        dead, other, counters = Voice("a", dead=True), Voice("b", dead=True), Counters()
        again = house.speech(dead, other, counters=counters)
        await prepared(again, HELLO)
        assert await said(again, HELLO) == [b"a:Hello and welcome."]
        assert (dead.asked, other.asked) == ([], [])
        assert counters.get("prompts_loaded") == len(house.files)
        await again.close()

    run(story)


def test_a_prompt_plays_although_its_engine_is_left_alone(tmp_path: Path) -> None:
    async def story() -> None:
        first, second = Voice("a"), Voice("b")
        speech = Installation(tmp_path).speech(first, second)
        await prepared(speech, HELLO)
        first.dead = True
        for number in range(4):
            assert await said(speech, f"Number {number}.") != []
        assert await said(speech, HELLO) == [b"a:Hello and welcome."]
        await speech.close()

    run(story)


def test_a_lesser_engine_makes_them_until_the_first_works_again(tmp_path: Path) -> None:
    async def story() -> None:
        first, second = Voice("a", dead=True), Voice("b")
        speech = Installation(tmp_path).speech(first, second)
        await prepared(speech, HELLO)
        assert await said(speech, HELLO) == [b"b:Hello and welcome."]
        first.dead = False
        await prepared(speech, HELLO)
        assert await said(speech, HELLO) == [b"a:Hello and welcome."]
        await speech.close()

    run(story)


def test_what_no_agent_says_any_more_is_deleted(tmp_path: Path) -> None:
    async def story() -> None:
        house, voice = Installation(tmp_path), Voice("a")
        speech = house.speech(voice)
        await prepared(speech, HELLO, BYE)
        before = len(house.files)
        await prepared(speech, HELLO)
        assert len(house.files) < before
        voice.asked.clear()
        await said(speech, BYE)
        assert voice.asked == [BYE]
        await speech.close()

    run(story)


def test_another_version_of_the_engine_makes_them_again(tmp_path: Path) -> None:
    async def story() -> None:
        house = Installation(tmp_path)
        first = house.speech(Voice("a"))
        await prepared(first, HELLO)
        await first.close()
        newer = Voice("a", version="2")
        second = house.speech(newer)
        await prepared(second, HELLO)
        assert HELLO in newer.asked
        await second.close()

    run(story)


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    async def story() -> None:
        house = Installation(tmp_path)
        first = house.speech(Voice("a"))
        await prepared(first, HELLO)
        await first.close()
        for number, path in enumerate(house.files):
            data = path.read_bytes()
            path.write_bytes(data[:-5] if number % 2 else data.replace(b"Hello and", b"Hallo und"))
        voice = Voice("a")
        second = house.speech(voice)
        await prepared(second, HELLO)
        assert await said(second, HELLO) == [b"a:Hello and welcome."]
        assert HELLO in voice.asked
        await second.close()

    run(story)


def test_a_directory_that_cannot_be_written_costs_only_the_next_start(tmp_path: Path) -> None:
    async def story() -> None:
        (tmp_path / "prompts").write_text("not a directory")
        speech = Installation(tmp_path).speech(Voice("a"))
        await prepared(speech, HELLO)
        assert await said(speech, HELLO) == [b"a:Hello and welcome."]
        await speech.close()

    run(story)


def test_the_directory_is_bounded(tmp_path: Path) -> None:
    files = PromptFiles(tmp_path, max_bytes=2000)
    chunks = [TtsAudio(bytes(800))]
    kept = [files.write(f"{n}.prompt", "a", "text", chunks) for n in range(3)]
    assert kept == [True, True, False]
    assert files.read("2.prompt") == ()


def test_halves_that_a_crash_left_are_deleted_and_other_files_are_not(tmp_path: Path) -> None:
    for name in ("1.prompt.part", "old.prompt", "wanted.prompt", "readme.txt"):
        (tmp_path / name).touch()
    assert PromptFiles(tmp_path).keep_only({"wanted.prompt"}) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["readme.txt", "wanted.prompt"]
    assert PromptFiles(tmp_path / "none").keep_only(set()) == 0


def test_memory_for_prompts_is_bounded() -> None:
    cache = PhraseCache(pinned_bytes=1500)
    one, two = TtsRequest("one"), TtsRequest("two")
    assert cache.pin("a", one, [TtsAudio(bytes(1000))])
    assert not cache.pin("a", two, [TtsAudio(bytes(1000))])
    assert cache.pin("a", one, [TtsAudio(bytes(1400))]), "the same prompt made anew takes the place of the old one"
    cache.unpin_all_but(set())
    assert cache.pin("a", two, [TtsAudio(bytes(1000))])


def test_the_name_of_a_file_depends_on_everything_that_its_sound_depends_on() -> None:
    request = TtsRequest("Hello.", "slt", "en-US", 1.0, 8000)
    others = [
        file_name("b", "1", request),
        file_name("a", "2", request),
        file_name("a", "1", TtsRequest("Hello!", "slt")),
        file_name("a", "1", TtsRequest("Hello.", "awb")),
        file_name("a", "1", TtsRequest("Hello.", "slt", "en-GB")),
        file_name("a", "1", TtsRequest("Hello.", "slt", rate=1.1)),
        file_name("a", "1", TtsRequest("Hello.", "slt", sample_rate_hz=16000)),
    ]
    assert len({file_name("a", "1", request), *others}) == 8


CHUNK = st.one_of(
    st.builds(TtsAudio, st.binary(min_size=1, max_size=40)),
    st.builds(WordMark, st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)),
)


@settings(max_examples=40)
@given(st.lists(CHUNK, min_size=1, max_size=12))
def test_what_is_read_is_what_was_written(chunks: list[TtsChunk]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = PromptFiles(Path(folder))
        files.write("1.prompt", "a", "text", chunks)
        assert files.read("1.prompt") == tuple(chunks)
