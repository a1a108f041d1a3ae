"""Slots under arbitrary input, and values through speech and back."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.agents.entities.choice import ChoiceSlot
from voicegw.agents.entities.dates import DateSlot
from voicegw.agents.entities.digits import DigitsSlot
from voicegw.agents.entities.numbers import NumberSlot, spoken_number
from voicegw.agents.entities.slot import Slot
from voicegw.agents.entities.text import TextSlot
from voicegw.agents.entities.times import TimeSlot
from voicegw.agents.entities.words import HOMOPHONES, UNIT_WORDS, cardinal
from voicegw.agents.entities.yes_no import YesNoSlot
from voicegw.agents.sentences import SentenceSplitter, split_sentences
from voicegw.agents.speakable import speakable

NOW = datetime(2026, 3, 3, 12)
SLOTS: tuple[Slot, ...] = (
    DigitsSlot(1, 8),
    NumberSlot(),
    NumberSlot(Decimal(-5), Decimal(5), whole=False),
    DateSlot(),
    DateSlot(past=True),
    TimeSlot(),
    YesNoSlot(),
    ChoiceSlot({"one": ("first",), "two": ()}),
    TextSlot(),
)
VOCABULARY = sorted(
    {word for slot in SLOTS for phrase in slot.phrases() for word in phrase.split()} | set(HOMOPHONES)
)
utterance = st.one_of(
    st.text(max_size=40),
    st.lists(st.sampled_from([*VOCABULARY, "no", "of", "the", "12:30", "3rd", "99"]), max_size=12).map(" ".join),
)


@settings(max_examples=300, deadline=None)
@given(utterance)
def test_no_answer_breaks_a_slot(text: str) -> None:
    for slot in SLOTS:
        parsed = slot.parse(text, NOW)
        slot.is_complete(text)
        if parsed is not None:
            assert slot.spoken(parsed.value) or isinstance(slot, TextSlot)


@settings(max_examples=150, deadline=None)
@given(st.text("0123456789*#ABCD٣", max_size=10))
def test_no_keys_break_a_slot(keys: str) -> None:
    for slot in SLOTS:
        value = slot.parse_keys(keys, NOW)
        if value is not None:
            assert slot.spoken(value)


@settings(max_examples=150, deadline=None)
@given(st.text("0123456789", min_size=6, max_size=6))
def test_digits_said_one_by_one_come_back(digits: str) -> None:
    slot = DigitsSlot(6, 6)
    for words in (" ".join(UNIT_WORDS[int(d)] for d in digits), slot.spoken(digits), digits):
        parsed = slot.parse(words, NOW)
        assert parsed is not None
        assert parsed.value == digits


@settings(max_examples=150, deadline=None)
@given(st.integers(-(10**12), 10**12))
def test_numbers_come_back(value: int) -> None:
    parsed = NumberSlot().parse(cardinal(value), NOW)
    assert parsed is not None
    assert parsed.value == value


@settings(max_examples=100, deadline=None)
@given(st.decimals(-999, 999, places=3, allow_nan=False, allow_infinity=False))
def test_decimals_come_back(value: Decimal) -> None:
    parsed = NumberSlot(whole=False).parse(spoken_number(value), NOW)
    assert parsed is not None
    assert isinstance(parsed.value, int | Decimal)
    assert Decimal(parsed.value) == value


@settings(max_examples=150, deadline=None)
@given(st.dates(date(2026, 3, 3), date(2027, 3, 2)), st.times())
def test_days_and_times_come_back(day: date, moment: time) -> None:
    parsed = DateSlot().parse(DateSlot().spoken(day), NOW)
    assert parsed is not None
    assert parsed.value == day
    exact = moment.replace(second=0, microsecond=0, tzinfo=None, fold=0)
    heard = TimeSlot().parse(TimeSlot().spoken(exact), NOW)
    assert heard is not None
    assert heard.value == exact


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("ab .,!?;:\n3D", max_size=60), max_size=6))
def test_sentences_keep_every_letter_in_order(chunks: list[str]) -> None:
    splitter = SentenceSplitter()
    pieces = [piece for chunk in chunks for piece in splitter.push(chunk)] + splitter.finish()
    letters = [char for char in "".join(chunks) if char.isalnum()]
    assert [char for piece in pieces for char in piece if char.isalnum()] == letters
    assert all(piece == piece.strip() and piece for piece in pieces)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_made_speakable_and_split(text: str) -> None:
    spoken = speakable(text)
    assert "  " not in spoken
    split_sentences(spoken)
