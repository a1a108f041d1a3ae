"""Every mistake in an agent file is reported with its line and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicegw.agents.load import load_flow, load_flows, parse_flow
from voicegw.base.errors import ConfigError
from voicegw.dialplan import ConfigProblems

HEAD = "name: x\nsteps:\n"
ASKS = "steps:\n  - id: s\n    intent: {prompt: Q, on: {a: s, b: s}}\n"


@pytest.mark.parametrize(
    ("text", "line", "message", "fix"),
    [
        (HEAD + "  - goto: tpo\n  - id: top\n    say: Hi\n", 3, "no step named 'tpo'", "did you mean 'top'"),
        (HEAD + "  - {id: a, say: A}\n  - {id: a, say: B}\n", 4, "two steps are named 'a'", "a name of its own"),
        (HEAD + "  - hangup: Bye\n  - id: b\n    say: B\n", 4, "no path leads to the step 'b'", "go to it"),
        (HEAD + "  - hangup:\n  - say: B\n", 4, "no path leads to the step number 2", "go to it"),
        (HEAD + "  - refuse: bussy\n", 3, "'bussy' is neither a cause", "did you mean 'busy'"),
        (HEAD + "  - refuse: busy\n  - say: B\n", 4, "no path leads to the step number 2", "go to it"),
        (HEAD + "  - sya: Hi\n", 3, "unknown key 'sya'", "did you mean 'say'"),
        (HEAD + "  - {say: Hi, goto: a}\n", 3, "exactly one thing, this one has say and goto", "one of say"),
        (HEAD + "  - id: a\n", 3, "this one has none", "one of say"),
        (HEAD + "  - {goto: a, next: a}\n", 3, "'next' means nothing after goto", "remove it"),
        (HEAD + "  - say: Hi {{ name }}\n", 3, "nothing sets the variable 'name'", "allowed: "),
        (HEAD + "  - say: Hi {{ calling | upper }}\n", 3, "no filter 'upper'", "allowed: date"),
        (HEAD + "  - say: Hi {{ calling }\n", 3, "'{{' without its counterpart", "both ends doubled"),
        (HEAD + "  - say: Hi {{ a b }}\n", 3, "'a b' is not a variable name", "letters"),
        (HEAD + "  - say: '{{ now | money:XYZ }}'\n", 3, "'XYZ' cannot follow money", "EUR"),
        (HEAD + "  - say: [a]\n", 3, "must be a block", ""),
        ("name: x\nvariables: {a: 1}\nsteps: [{say: Hi}]\n", 2, "'a' is never used", "remove it"),
        (HEAD + "  - set: {a: 1}\n", 3, "'a' is never used", "remove it"),
        (HEAD + "  - ask: {save: a, type: dat, prompt: Q}\n", 3, "'dat' is not a value", "did you mean 'date'"),
        (
            HEAD + "  - ask: {save: a, type: date, prompt: Q, length: 4}\n",
            3,
            "belongs to type digits",
            "type: digits",
        ),
        (HEAD + "  - ask: {save: a, type: choice, prompt: Q}\n", 3, "a choice needs 'options'", "add options"),
        (
            HEAD + "  - ask: {save: a, type: digits, prompt: Q, min_length: 5, max_length: 4}\n",
            3,
            "lengths 5 to 4 contradict",
            "both bounds",
        ),
        (
            HEAD + "  - ask: {save: a, type: number, prompt: Q, minimum: 5, maximum: 4}\n",
            3,
            "'minimum' is above",
            "exchange",
        ),
        (
            HEAD + "  - ask: {save: a, type: time, prompt: Q, earliest: 09:00, latest: 08:00}\n",
            3,
            "'earliest' is after",
            "exchange",
        ),
        (HEAD + "  - ask: {save: a, type: time, prompt: Q, earliest: 9}\n", 3, "'9' is not a time of day", "09:00"),
        (HEAD + "  - ask: {save: today, type: date, prompt: Q}\n", 3, "is a built-in variable", "another name"),
        (HEAD + "  - ask: {save: a-b, type: date, prompt: Q}\n", 3, "is not a variable name", "letters"),
        (
            HEAD + "  - ask: {save: a, type: date, prompt: Q, corrects: [a]}\n",
            3,
            "belongs to type yes_no",
            "remove",
        ),
        (
            HEAD + "  - ask: {save: a, type: yes_no, prompt: Q, corrects: [b]}\n",
            3,
            "no ask step saves 'b'",
            "allowed",
        ),
        ("name: x\nintents:\n  a: []\nsteps: [{say: Hi}]\n", 3, "must not be empty", ""),
        ("name: x\nintents:\n  a: ['']\nsteps: [{say: Hi}]\n", 3, "an empty phrase", "what a caller would say"),
        ("name: x\nintents:\n  a: [go]\nsteps: [{say: Hi}]\n", 3, "no step asks for the intent 'a'", "remove it"),
        (
            "name: x\nintents: {a: [go]}\n" + ASKS,
            5,
            "there is no intent 'b'",
            "allowed: a",
        ),
        (
            "name: x\nintents:\n  a: [go]\n  b: [Go]\n" + ASKS,
            4,
            "is in the intent 'a' too",
            "keep it",
        ),
        (HEAD + "  - id: s\n    menu: {prompt: Q, keys: {12: {phrases: [a], goto: s}}}\n", 4, "pattern", ""),
        (
            HEAD + "  - id: s\n    webhook: {url: ftp://x, on_error: s}\n",
            4,
            "is no web address",
            "begin it with http",
        ),
        (HEAD + "  - webhook: {url: http://x}\n", 3, "'on_error' is missing", "add 'on_error:'"),
        (
            HEAD + "  - id: s\n    webhook: {url: http://x, on_error: s, body: {a: ['{{ b']}}\n",
            4,
            "'{{' without",
            "both ends",
        ),
        (HEAD + "  - id: s\n    branch: [{if: called = 1, goto: s}]\n", 4, "cannot read '= 1'", "write '=='"),
        (HEAD + "  - id: s\n    branch: [{if: called == 1}]\n", 4, "needs 'if' with 'goto', or 'else'", "else"),
        (
            HEAD + "  - id: s\n    branch: [{if: colour == 1, goto: s}]\n",
            4,
            "nothing sets the variable 'colour'",
            "",
        ),
        (HEAD + "  - {id: a, say: A}\n  - goto: a\n", 3, "an endless circle", "ask something"),
        ("name: x\nglobals: {human: {goto: desk}}\nsteps: [{say: Hi}]\n", 2, "no step named 'desk'", ""),
        (
            "name: x\nglobals: {repeat: {goto: s}}\nsteps: [{id: s, say: Hi}]\n",
            2,
            "'repeat' goes nowhere",
            "remove",
        ),
        ("name: x\nlimits: {max_no_input: 0}\nsteps: [{say: Hi}]\n", 2, "greater than or equal to 1", ""),
        ("name: a b\nsteps: [{say: Hi}]\n", 1, "name", ""),
        ("steps: [{say: Hi}]\n", 1, "'name' is missing", "add 'name:'"),
        ("name: x\nsteps: []\n", 2, "must not be empty", ""),
        ("name: x\nsteps: [{ask: {prompt: Why?}}]\n", 2, "but got '?'", "quote a text"),
    ],
)
def test_one_mistake(text: str, line: int, message: str, fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_flow(text, "agent.yaml")
    assert message in caught.value.message
    assert fix in caught.value.fix
    assert caught.value.line == line
    assert caught.value.file == "agent.yaml"


def test_all_mistakes_at_once_in_the_order_of_lines() -> None:
    text = HEAD + "  - goto: a\n  - say: '{{ b }}'\n  - ask: {save: c, type: date, prompt: Q, options: {d: []}}\n"
    with pytest.raises(ConfigProblems) as caught:
        parse_flow(text)
    assert [problem.line for problem in caught.value.problems] == [3, 4, 5]


def test_a_global_target_counts_as_a_path() -> None:
    flow = parse_flow(
        "name: x\nglobals: {human: {goto: desk}}\nsteps:\n"
        "  - hangup: Bye\n  - id: desk\n    transfer: sip:desk@test\n"
    )
    assert flow.name == "x"


def test_load_reads_files_and_names_them(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: a\nsteps: [{say: Hi}]\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("name: b\nsteps: [{say: Ho}]\n", encoding="utf-8")
    assert list(load_flows(tmp_path)) == ["a", "b"]
    assert load_flow(tmp_path / "a.yaml").file == str(tmp_path / "a.yaml")


def test_load_reports_the_mistakes_of_all_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: a\nsteps: [{say: Hi}]\n", encoding="utf-8")
    (tmp_path / "b.yaml").write_text("name: a\nsteps: [{say: Hi}]\n", encoding="utf-8")
    (tmp_path / "c.yaml").write_text("name: [\n", encoding="utf-8")
    (tmp_path / "d.yaml").write_text("name: d\nsteps: [{sya: Hi}]\n", encoding="utf-8")
    with pytest.raises(ConfigProblems) as caught:
        load_flows(tmp_path)
    files = [Path(problem.file).name for problem in caught.value.problems]
    assert files == ["b.yaml", "c.yaml", "d.yaml"]


def test_start_values_come_from_the_environment() -> None:
    text = "name: x\nvariables: {a: {env: A, default: 1}, b: 1.5}\nsteps: [{say: '{{ a }} {{ b }}'}]\n"
    assert parse_flow(text, environment={"A": "2"}).start_values["a"] == "2"
    assert parse_flow(text).start_values["a"] == 1
    assert str(parse_flow(text).start_values["b"]) == "1.5"
