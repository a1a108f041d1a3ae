"""Digits into answers."""

from __future__ import annotations

from voicegw.turn.keypad import Keypad, KeypadPolicy

SIX = KeypadPolicy(max_digits=6, terminator="#", inter_digit_ms=3000)
ONE = KeypadPolicy(max_digits=1, terminator="#", inter_digit_ms=3000)


def test_the_last_digit_completes() -> None:
    keypad = Keypad()
    keypad.expect(SIX, 0.0)
    answers = [keypad.press(digit, 0.1) for digit in "427196"]
    assert answers == [None] * 5 + ["427196"]
    assert keypad.get_timer() is None


def test_the_terminator_completes_a_shorter_answer() -> None:
    keypad = Keypad()
    keypad.expect(SIX, 0.0)
    keypad.press("4", 0.1)
    assert keypad.press("#", 0.2) == "4"
    assert keypad.press("#", 0.3) is None


def test_a_pause_completes() -> None:
    keypad = Keypad()
    keypad.expect(SIX, 0.0)
    keypad.press("4", 1.0)
    assert keypad.get_timer() == 4.0
    assert keypad.handle_timer(3.9) is None
    assert keypad.handle_timer(4.0) == "4"


def test_type_ahead_answers_the_next_questions_in_turn() -> None:
    keypad = Keypad()
    for digit in "12":
        keypad.press(digit, 0.0)
    assert keypad.expect(ONE, 1.0) == "1"
    keypad.ignore()
    assert keypad.expect(ONE, 2.0) == "2"
    assert keypad.expect(ONE, 3.0) is None


def test_a_question_without_keys_forgets_them() -> None:
    keypad = Keypad()
    keypad.press("1", 0.0)
    keypad.expect(KeypadPolicy(0, "", 0), 1.0)
    assert keypad.expect(ONE, 2.0) is None
