from __future__ import annotations

import re

import pytest

from voicegw.dialplan.safe_regex import MAX_PATTERN, MAX_TEXT, MAX_WAYS, compile_safe


@pytest.mark.parametrize(
    "pattern",
    [
        r"\+44\d{6,10}",
        r"(?:00|\+)49.*",
        r"[^]@]+@[\w.-]+",
        r"1[0-9]{3}|2[0-9]{3}",
        r"(\d{3})+",
        r"a?b?c?",
        r"x{3}",
        r"x{,5}y*?",
    ],
)
def test_honest_patterns_compile(pattern: str) -> None:
    assert compile_safe(pattern).pattern == pattern


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"(a+)+", "repeated group"),
        (r"(a|aa)*", "repeated group"),
        (r"(a?){50}", "repeated group"),
        (r"((ab|c)d)+", "repeated group"),
        (r".*.*.*=", "ways to match"),
        (r"a{0,200}a{0,200}a{0,200}", "ways to match"),
        (r"(a)\1", "back-references"),
        (r"(?=a)a", "only plain groups"),
        (r"(?P<x>a)", "only plain groups"),
        (r"(?i)a", "only plain groups"),
        (r"[a", "not a regular expression"),
        (r"a{1,99999999999}", "not a regular expression"),
        ("a" * (MAX_PATTERN + 1), "longer than"),
    ],
)
def test_others_are_refused_with_a_reason(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        compile_safe(pattern)


def test_the_worst_pattern_allowed_is_bounded() -> None:
    """The product of the choices bounds the steps: two stars stay below the limit, three do not."""
    compile_safe(r".*.*x")
    assert MAX_TEXT**2 < MAX_WAYS < MAX_TEXT**3
    assert compile_safe(r".*.*x").fullmatch("a" * MAX_TEXT) is None
