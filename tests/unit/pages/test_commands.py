"""Commands on pages are commands that there are, with options that they have."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator

import pytest

from tests.unit.pages.pages import PAGES, ROOT, blocks, code_spans, command_for, command_lines, text_of
from voicegw.cli.main import _parser

PARSER = _parser()
NO_COMMANDS = {"voicegw seal key id 1"}
"""Spans that look like one: what is hashed into the id of a key."""


def commands(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    below = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    if not below:
        yield path
    for one in below:
        for name, inner in one.choices.items():
            yield from commands(inner, (*path, name))


@pytest.mark.parametrize("page", PAGES)
def test_what_a_reader_types_is_understood(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in command_lines(page):
        if words and words[0] == "--demo":
            words = ["demo", *words[1:]]
        elif not words or (words[0].startswith("-") and words[0] not in ("--version", "--help")):
            words = ["serve", *words]  # as scripts/run does
        try:
            PARSER.parse_args(words)
        except SystemExit as end:
            assert end.code == 0, f"{page}: voicegw {shlex.join(words)}\n{capsys.readouterr().err}"


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_a_sentence_are_there_with_their_options(page: str) -> None:
    for span in code_spans(page):
        found = re.match(r"(?:scripts/run|voicegw) ([a-z].*)", span)
        if found is None:
            continue
        if span in NO_COMMANDS:
            continue
        words = re.sub(r"[\[\]]", " ", found[1]).split()
        parser, rest = command_for(words, PARSER)
        assert parser is not PARSER, f"{page}: `{span}` is no command"
        known = {option for action in parser._actions for option in action.option_strings}
        for word in rest:
            if word.startswith("-") and word != "-":
                assert word.split("=")[0] in known, f"{page}: `{span}`: no option {word}"


def test_the_table_of_operations_has_every_command() -> None:
    table = text_of("docs/operations.md").split("## Signals")[0]
    for path in commands(PARSER):
        command, last = path[0], path[-1]
        row = [line for line in table.splitlines() if re.search(rf"`voicegw {command}\b|`{command}\b", line)]
        assert row, f"docs/operations.md: no row for voicegw {' '.join(path)}"
        assert any(re.search(rf"\b{re.escape(last)}\b", line) for line in row), f"no word on {' '.join(path)}"


def test_run_gives_the_version_where_a_page_asks_for_it() -> None:
    """docs/docker.md makes the environment so."""
    said = {word for page in PAGES for block in blocks(page) for word in re.findall(r"scripts/run (--\w+)", block)}
    script = (ROOT / "scripts" / "run").read_text()
    for word in said:
        assert re.search(rf"^ *(?:[\w-]+ \| )*{word}(?: \| [\w-]+)*\)", script, re.MULTILINE), f"scripts/run {word}"
