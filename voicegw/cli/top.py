"""``voicegw top``: a running node in the terminal, by its API."""

from __future__ import annotations

import argparse
import json
import select
import shutil
import sys
import termios
import time
import tty
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx

from voicegw.base.errors import LocalError
from voicegw.cli.api_client import api_client, api_url
from voicegw.cli.scrape import Scrape, read_page
from voicegw.cli.top_view import Summary, lines_of, summarise

_SPAN_S: Final = 60.0
"""Rates and quantiles are of the last minute."""
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _END_OF_LINE, _REST = "\x1b[H", "\x1b[K", "\x1b[J"


def run(arguments: argparse.Namespace) -> int:
    """Until q or Ctrl-C; with ``--once``, or where the output is no terminal, once."""
    with api_client(arguments, "read metrics and live calls") as client:
        url = api_url(arguments)
        if arguments.once or arguments.json or not sys.stdout.isatty():
            summary = summarise(*_look(client, deque()))
            width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 200
            text = json.dumps(summary) if arguments.json else "\n".join(lines_of(summary, url, width, 10_000))
            print(text)
            return 0
        _watch(client, url, arguments.every)
    return 0


def _watch(client: httpx.Client, url: str, every_s: float) -> None:
    pages: deque[Scrape] = deque()
    with _screen():
        while True:
            summary: Summary = summarise(*_look(client, pages))
            size = shutil.get_terminal_size()
            lines = lines_of(summary, url, size.columns, size.lines - 1)
            shown = "".join(f"{line}{_END_OF_LINE}\r\n" for line in lines)
            sys.stdout.write(f"{_HOME}{shown}{_REST}")
            sys.stdout.flush()
            ready, _, _ = select.select([sys.stdin], [], [], every_s)
            if ready and sys.stdin.read(1) in ("q", "Q", ""):
                return


@contextmanager
def _screen() -> Iterator[None]:
    """A screen of our own, and keys as they are pressed; everything is put back."""
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    sys.stdout.write(_ENTER)
    try:
        yield
    finally:
        sys.stdout.write(_LEAVE)
        sys.stdout.flush()
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _look(client: httpx.Client, pages: deque[Scrape]) -> tuple[Scrape, Scrape | None, list[dict[str, Any]] | None]:
    """The page now, the oldest of the last minute, and the running calls where the key may see them."""
    now = read_page(_get(client, "/metrics").text, time.monotonic())
    while pages and now.at - pages[0].at > _SPAN_S:
        pages.popleft()
    before = pages[0] if pages else None
    pages.append(now)
    live = client.get("/v1/live/calls")
    return now, before, live.json()["items"] if live.status_code == httpx.codes.OK else None


def _get(client: httpx.Client, path: str) -> httpx.Response:
    try:
        answer = client.get(path)
    except httpx.HTTPError as error:
        raise LocalError(f"{client.base_url} does not answer: {error}") from None
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise LocalError(f"the key may not read {path}: it needs the permission metrics")
    if answer.status_code != httpx.codes.OK:
        raise LocalError(f"{path} is answered with {answer.status_code}")
    return answer
