from __future__ import annotations

import pytest

from voicegw.base.errors import ConfigError
from voicegw.dialplan.yaml_lines import parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0123", "0123"),
        ("12:30", "12:30"),
        ("no", "no"),
        ("on", "on"),
        ("2026-03-03", "2026-03-03"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("42", 42),
        ("-1", -1),
        ("1.5", 1.5),
        ("true", True),
        ("null", None),
        ("~", None),
        ('"42"', "42"),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    assert parse_yaml(f"key: {text}\n", "f").data == {"key": value}


def test_lines_of_keys_and_items() -> None:
    document = parse_yaml("a: 1\nb:\n  - x: 1\n    y: 2\n  -\n    z: 3\n", "f")
    assert document.line(("a",)) == 1
    assert document.line(("b", 0, "y")) == 4
    assert document.line(("b", 1, "z")) == 6
    assert document.line(("b", 1, "absent", "deeper")) == 6


def test_keys_are_text() -> None:
    assert parse_yaml("1: a\n010: b\n", "f").data == {"1": "a", "010": "b"}


def test_anchors_and_merge_keys() -> None:
    text = "base: &base {a: 1, b: 2}\none: {<<: *base, b: 3}\ntwo: *base\nthree: {<<: *base}\n"
    document = parse_yaml(text, "f")
    assert document.data == {
        "base": {"a": 1, "b": 2},
        "one": {"a": 1, "b": 3},
        "two": {"a": 1, "b": 2},
        "three": {"a": 1, "b": 2},
    }
    assert not document.duplicates


def test_every_duplicate_key_is_reported() -> None:
    document = parse_yaml("a: 1\nb: {c: 1, c: 2}\na: 2\n", "f")
    assert [(e.line, e.message) for e in document.duplicates] == [
        (3, "the key 'a' stands twice; it is already in line 1"),
        (2, "the key 'c' stands twice; it is already in line 2"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: [1\nb: 2\n", 2, "expected ',' or ']'"),
        ("a: b: c\n", 1, "mapping values are not allowed"),
        ("a: *x\n", 1, "undefined alias"),
        ("a: &x\n  b: *x\n", 1, "contains itself"),
        ("? [a]\n: 1\n", 1, "a key must be"),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "is not allowed"),
        ("a: !!int x\n", 1, "is not a int"),
        ("a: 1\n---\nb: 2\n", 2, "but found another document"),
        ("a: \x00\n", 1, "not YAML"),
    ],
)
def test_what_is_not_yaml_has_a_line(text: str, line: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "some.yaml")
    assert caught.value.file == "some.yaml"
    assert caught.value.line == line
    assert message in str(caught.value)


def test_a_bomb_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    with pytest.raises(ConfigError, match="values once the aliases are followed"):
        parse_yaml("\n".join(lines), "f")


def test_deep_nesting_is_an_error_not_a_crash() -> None:
    with pytest.raises(ConfigError, match="nested too deeply"):
        parse_yaml("[" * 5000 + "]" * 5000, "f")


def test_an_empty_file_is_no_data() -> None:
    assert parse_yaml("# nothing\n", "f").data is None


@pytest.mark.parametrize("text", ['a: 1\n"b\\uD800": 2', 'a: 1\nb: "\\uD83D"'])
def test_half_a_character_is_refused_where_it_stands(text: str) -> None:
    with pytest.raises(ConfigError, match="half of a surrogate pair") as found:
        parse_yaml(text, "x.yaml")
    assert found.value.line == 2
