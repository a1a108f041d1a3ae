"""Compiled models on disk, and pronunciations."""

from __future__ import annotations

from pathlib import Path

from voicegw.inference.asr.language_model import LmConfig
from voicegw.inference.asr.lexicon import Lexicon
from voicegw.inference.asr.model_store import ModelStore


def lexicon(folder: Path) -> Lexicon:
    path = folder / "big.dict"
    path.write_text("book B UH K\nred R EH D\nthe DH AH\nthe(2) DH IY\n", "utf-8")
    return Lexicon(path)


def test_a_dictionary_has_all_pronunciations_of_its_words_only(tmp_path: Path) -> None:
    assert lexicon(tmp_path).compile(["the", "book"]) == "book B UH K\nthe DH AH\nthe(2) DH IY\n"


def test_words_that_nobody_listed_are_pronounced_by_rule(tmp_path: Path) -> None:
    [phones] = lexicon(tmp_path).lookup(["reschedule"])["reschedule"]
    assert phones.split()[0] == "R" and phones.split()[-1] == "L"
    assert lexicon(tmp_path).lookup(["żółw"]) == {}


def test_a_model_is_compiled_once_and_leaves_no_parts(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "cache", lexicon(tmp_path), LmConfig())
    files = store.files("key", ["the book"], ["red"])
    assert files.lm.read_text("utf-8").startswith("\\data\\")
    before = files.lm.stat().st_mtime_ns
    assert store.files("key", ["the book"], ["red"]) == files
    assert files.lm.stat().st_mtime_ns == before
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["key.arpa", "key.dict"]
