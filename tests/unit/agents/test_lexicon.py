"""Words with a pronunciation of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.agents.lexicon import Lexicon, LexiconEntry, Pronunciation, load_lexicon, parse_lexicon
from voicegw.base.errors import ConfigError
from voicegw.dialplan.yaml_lines import ConfigProblems

FILE = """\
words:
  Nguyen: win
  SQL: {say: sequel, case: exact}
  SQL server: {say: the sequel server, case: exact}
  Worcester: {say: wooster, phonemes: {espeak: "w'Ust@", piper: wˈʊstɚ}}
  Worcester Street: wooster street
  Gif: {say: jif, languages: [fr]}
  O'Brien: oh bryan
  route 66: root sixty six
  US: {say: you ess, case: exact}
  win: victory
"""
LEXICON = Lexicon(parse_lexicon(FILE))


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Mr. Nguyen and NGUYEN's wife", "Mister win and win's wife"),
        ("SQL, sql, SQLite", "sequel, sql, SQLite"),
        ("the SQL  server", "the the sequel server"),
        ("Worcester Street in Worcester.", "wooster street in wooster."),
        ("win", "victory"),
        ("a gif", "a gif"),
        ("Call O'Brien at 5 on Route 66", "Call oh bryan at five on root sixty six"),
        ("call us in the US for $5", "call us in the you ess for five dollars"),
        ("**Nguyen** (Nguyen) Nguyen-Smith", "win (win) win-Smith"),
        ("\U000f0000", ""),
        ("", ""),
    ],
)
def test_texts(text: str, spoken: str) -> None:
    assert LEXICON.said(text, "flite") == spoken


def test_an_engine_with_phonemes_gets_them_untouched() -> None:
    assert LEXICON.said("Worcester 5", "espeak") == "[[w'Ust@]] five"
    assert LEXICON.said("Worcester", "piper") == "[[ wˈʊstɚ ]]"
    only = Lexicon(parse_lexicon("words: {Aix: {phonemes: {espeak: Eks}}}"))
    assert only.said("Aix", "espeak") == "[[Eks]]"
    assert only.said("Aix", "flite") == "Aix"


def test_words_of_one_language_only() -> None:
    words = parse_lexicon(FILE)
    assert Lexicon(words, "fr-FR").said("Gif 5", "flite") == "jif cinq"
    assert Lexicon(words, "de").said("Gif 5", "flite") == "Gif fünf"


def test_the_agent_goes_before_the_installation() -> None:
    agent = parse_lexicon("words: {Nguyen: noo yen}")
    assert Lexicon((*agent, *parse_lexicon(FILE))).said("Nguyen", "flite") == "noo yen"


def test_the_order_of_a_file_does_not_matter() -> None:
    head, *lines = FILE.splitlines()
    turned = Lexicon(parse_lexicon("\n".join([head, *reversed(lines)])))
    for text in ("SQL server", "SQL", "Worcester Street", "Worcester", "Nguyen win"):
        assert turned.said(text, "flite") == LEXICON.said(text, "flite")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("words:\n  a: b\n  a: c\n", 3, "stands twice"),
        ("words:\n  Ab: b\n  aB: c\n", 3, "same word as 'Ab' in line 2"),
        ("words:\n  a: {sya: b}\n", 2, "unknown key 'sya'"),
        ("words:\n  a: {say: b, case: some}\n", 2, "not a value of"),
        ("words:\n  b: c\n  a: {case: exact}\n", 3, "says nothing"),
        ("words:\n  '!': b\n", 2, "must begin and end with"),
        ("words:\n  a: {phonemes: {espaek: x}}\n", 2, "takes no phonemes"),
        ("words:\n  - a\n", 1, "must be a block"),
        ("word:\n  a: b\n", 1, "unknown key 'word'"),
    ],
)
def test_mistakes_are_told_with_their_line(text: str, line: int, message: str) -> None:
    with pytest.raises(ConfigProblems) as caught:
        parse_lexicon(text, "words.yaml")
    assert message in str(caught.value)
    assert caught.value.problems[0].line == line
    assert "words.yaml" in str(caught.value)


def test_the_same_letters_in_another_case_are_two_words_where_the_case_is_exact() -> None:
    words = parse_lexicon("words: {US: {say: you ess, case: exact}, us: {say: uhs, case: exact}}")
    assert Lexicon(words).said("us in the US, Us", "flite") == "uhs in the you ess, Us"


def test_files(tmp_path: Path) -> None:
    (tmp_path / "lexicon.yaml").write_text(FILE)
    assert len(load_lexicon(tmp_path / "lexicon.yaml")) == 10
    with pytest.raises(ConfigError, match=r"missing\.yaml"):
        load_lexicon(tmp_path / "missing.yaml")
    assert parse_lexicon("") == ()


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40), st.lists(st.text("abAB '1", min_size=1, max_size=4), max_size=4), st.booleans())
def test_no_text_and_no_word_breaks_it(text: str, words: list[str], exact: bool) -> None:
    entry = LexiconEntry(say="said", case="exact" if exact else "any")
    lexicon = Lexicon([Pronunciation(word, entry) for word in words if word.strip()])
    spoken = lexicon.said(text, "flite")
    assert not any("\U000f0000" <= char <= "\U000ffffd" for char in spoken)
