from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from voicegw.agents.expression import ExpressionError, parse_expression
from voicegw.agents.template import Variable

VALUES: dict[str, Variable] = {
    "status": "Open",
    "items": 3,
    "price": Decimal("24.5"),
    "code": "0042",
    "vip": True,
    "day": date(2026, 3, 3),
    "list": ("tea", "milk"),
    "empty": "",
    "nothing": None,
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("status == 'open'", True),
        ('status != "open"', False),
        ("items > 2", True),
        ("items >= 3 and items <= 3", True),
        ("items < 3 or vip", True),
        ("items == 3.0", True),
        ("price > 24", True),
        ("code == 42", True),
        ("code == '42'", False),
        ("not vip", False),
        ("not not vip", True),
        ("not (vip and items == 4)", True),
        ("vip == true", True),
        ("vip == 1", False),
        ("nothing == none", True),
        ("absent == none", True),
        ("empty", False),
        ("status in ['open', 'sent']", True),
        ("status not in ['open']", False),
        ("'tea' in list", True),
        ("'pe' in status", True),
        ("3 in items", False),
        ("day > '2026-03-01'", True),
        ("day == '2026-03-03'", True),
        ("day < 'word'", False),
        ("status > 1", False),
        ("nothing < 1", False),
        ("items > -1", True),
        ("[] == []", True),
        ("true or absent > 1 and false", True),
    ],
)
def test_conditions(text: str, holds: bool) -> None:
    assert parse_expression(text).holds(VALUES) is holds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is expected, not 'the end'"),
        ("a ==", "is expected, not 'the end'"),
        ("a = 1", "write '=='"),
        ("a == 1 b", "'b' is not expected here"),
        ("(a", "')' is missing"),
        ("[a]", "numbers and 'texts' only"),
        ("[1 2]", "']' is missing"),
        ("a ; b", "cannot read"),
        ("__import__('os')", "is not expected here"),
        ("a.b", "cannot read"),
        ("and", "is expected, not 'and'"),
        ("(" * 30 + "a" + ")" * 30, "nested deeper"),
    ],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_expression(text)
    assert message in str(caught.value)


def test_names() -> None:
    assert parse_expression("a == 1 and not (b in ['c'] or d)").names == {"a", "b", "d"}
