"""Conditions of ``branch`` steps: ``status == 'open' and (items > 2 or vip)``.

A grammar of its own instead of ``eval``: comparisons, ``and``, ``or``, ``not``, ``in``, literals, lists, names.
::

    or     = and { "or" and }
    and    = not { "and" not }
    not    = "not" not | compare
    compare = operand [ ( "==" | "!=" | "<" | "<=" | ">" | ">=" | [ "not" ] "in" ) operand ]
    operand = number | text | "true" | "false" | "none" | name | "[" operand, … "]" | "(" or ")"

Evaluation never fails: an order between things that have none (a date and a word) is simply false.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import TypeAlias

from voicegw.agents.entities.slot import Value
from voicegw.agents.template import Variable, Variables, plain

MAX_DEPTH = 20

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>-?\d+(?:\.\d+)?)|(?P<text>'[^']*'|"[^"]*")|(?P<word>[A-Za-z_]\w*)"""
    r"""|(?P<sign>==|!=|<=|>=|<|>|\(|\)|\[|\]|,))""",
    re.ASCII,
)
_CONSTANTS: dict[str, Variable] = {"true": True, "false": False, "none": None}
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


class ExpressionError(ValueError):
    """The text is not a condition."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a text, true, false, none or a list of them."""

    value: Variable


@dataclass(frozen=True, slots=True)
class Name:
    """A variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Not:
    """Negation."""

    inner: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """``and``, ``or``, a comparison or ``in``."""

    operator: str
    left: Node
    right: Node


Node: TypeAlias = Literal | Name | Not | Binary


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed condition."""

    source: str
    root: Node

    @property
    def names(self) -> frozenset[str]:
        """All variables it reads."""
        return frozenset(_names(self.root))

    def holds(self, variables: Variables) -> bool:
        """Whether it is true now."""
        return _truth(_evaluate(self.root, variables))


def parse_expression(source: str) -> Expression:
    """Parse; raises :class:`ExpressionError` with what was expected where."""
    return Expression(source, _Parser(source).parse())


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, source: str) -> None:
        self._tokens = list(_scan(source))
        self._at = 0
        self._depth = 0

    def parse(self) -> Node:
        node = self._or()
        if self._peek():
            raise ExpressionError(f"'{self._peek()}' is not expected here\nfix: join conditions with 'and' or 'or'")
        return node

    def _or(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(f"nested deeper than {MAX_DEPTH}")
        node = self._and()
        while self._accept("or"):
            node = Binary("or", node, self._and())
        self._depth -= 1
        return node

    def _and(self) -> Node:
        node = self._not()
        while self._accept("and"):
            node = Binary("and", node, self._not())
        return node

    def _not(self) -> Node:
        negations = 0
        while self._accept("not"):
            negations += 1
        node = self._compare()
        return Not(node) if negations % 2 else node

    def _compare(self) -> Node:
        left = self._operand()
        for operator in _COMPARISONS:
            if self._accept(operator):
                return Binary(operator, left, self._operand())
        if self._accept("in"):
            return Binary("in", left, self._operand())
        if self._peek() == "not" and self._peek(1) == "in":
            self._at += 2
            return Not(Binary("in", left, self._operand()))
        if self._peek() == "=":
            raise ExpressionError("'=' is not a comparison\nfix: write '=='")
        return left

    def _operand(self) -> Node:
        kind, text = self._next()
        if kind == "number":
            return Literal(Decimal(text) if "." in text else int(text))
        if kind == "text":
            return Literal(text[1:-1])
        if kind == "word" and text not in ("and", "or", "not", "in"):
            return Literal(_CONSTANTS[text]) if text in _CONSTANTS else Name(text)
        if text == "(":
            node = self._or()
            self._expect(")")
            return node
        if text == "[":
            return self._list()
        raise ExpressionError(f"a name, a number or a 'text' is expected, not '{text or 'the end'}'")

    def _list(self) -> Node:
        items: list[Value] = []
        while not self._accept("]"):
            node = self._operand()
            if not isinstance(node, Literal) or node.value is None or isinstance(node.value, tuple):
                raise ExpressionError("a list holds numbers and 'texts' only")
            items.append(node.value)
            if not self._accept(","):
                self._expect("]")
                break
        return Literal(tuple(items))

    def _peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at][1] if at < len(self._tokens) else ""

    def _next(self) -> tuple[str, str]:
        self._at += 1
        return self._tokens[self._at - 1] if self._at <= len(self._tokens) else ("", "")

    def _accept(self, text: str) -> bool:
        if self._peek() == text:
            self._at += 1
            return True
        return False

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise ExpressionError(f"'{text}' is missing")


def _scan(source: str) -> Iterator[tuple[str, str]]:
    position = 0
    text = source.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            rest = text[position:].strip()
            hint = "\nfix: write '=='" if rest.startswith("=") else ""
            raise ExpressionError(f"cannot read '{rest[:20]}'{hint}")
        yield str(match.lastgroup), match[str(match.lastgroup)]
        position = match.end()


def _names(node: Node) -> Iterator[str]:
    if isinstance(node, Name):
        yield node.name
    elif isinstance(node, Not):
        yield from _names(node.inner)
    elif isinstance(node, Binary):
        yield from _names(node.left)
        yield from _names(node.right)


def _evaluate(node: Node, variables: Variables) -> Variable:
    if isinstance(node, Literal):
        return node.value
    if isinstance(node, Name):
        return variables.get(node.name)
    if isinstance(node, Not):
        return not _truth(_evaluate(node.inner, variables))
    left = _evaluate(node.left, variables)
    if node.operator == "and":
        return _truth(left) and _truth(_evaluate(node.right, variables))
    if node.operator == "or":
        return _truth(left) or _truth(_evaluate(node.right, variables))
    return _compare(node.operator, left, _evaluate(node.right, variables))


def _truth(value: Variable) -> bool:
    return value not in (None, False, 0, "", ())


def _compare(operator: str, left: Variable, right: Variable) -> bool:
    if operator == "in":
        if isinstance(right, tuple):
            return any(_equal(left, item) for item in right)
        return isinstance(right, str) and plain(left).lower() in right.lower()
    if operator == "==":
        return _equal(left, right)
    if operator == "!=":
        return not _equal(left, right)
    return _ordered(operator, left, right)


def _equal(left: Variable, right: Variable) -> bool:
    """Alike numbers are equal whatever their type, texts without regard to case, dates to their ISO text."""
    if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
        return left is right
    numbers = _number(left), _number(right)
    if numbers[0] is not None and numbers[1] is not None and not (isinstance(left, str) and isinstance(right, str)):
        return numbers[0] == numbers[1]
    return plain(left).lower() == plain(right).lower()


def _ordered(operator: str, left: Variable, right: Variable) -> bool:
    low, high = _number(left), _number(right)
    if low is not None and high is not None:
        order = (low > high) - (low < high)
    else:
        first, second = _moments(left, right)
        if not first or not second:
            return False
        order = (first > second) - (first < second)
    return {"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[operator]


def _moments(left: Variable, right: Variable) -> tuple[str, str]:
    """Two days or two times of day as texts that sort like them; empty for what is neither."""
    kind = date if isinstance(left, date) or isinstance(right, date) else time
    return _moment(left, kind), _moment(right, kind)


def _moment(value: Variable, kind: type[date] | type[time]) -> str:
    try:
        return kind.fromisoformat(plain(value)).isoformat()
    except ValueError:
        return ""


def _number(value: Variable) -> Decimal | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        return Decimal(value)
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,30}(?:\.\d{1,30})?", value, re.ASCII):
        return Decimal(value)
    return None
