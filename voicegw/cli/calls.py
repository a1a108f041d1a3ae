"""``voicegw calls capture``: the packets of a running call into a file, by the API of its server."""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx

from voicegw.cli.api_client import api_client, ask, demand

_LOOK_S: Final = 1.0


def run(arguments: argparse.Namespace) -> int:
    """Until ``--seconds`` have passed, Ctrl-C, or the end of the call; then the file is there."""
    with api_client(arguments, "read and capture calls, and read recordings", timeout_s=40.0) as client:
        capture(client, arguments.call, arguments.out, arguments.seconds, audio=not arguments.headers_only)
    return 0


def capture(client: httpx.Client, call_id: str, out: Path, seconds: float, *, audio: bool) -> None:
    """Raises LocalError with what the server said."""
    place = f"/v1/calls/{call_id}/capture"
    _has_ended(client, call_id)  # a key that may not look is refused before anything begins
    ask(client, "POST", place, {"audio": audio, "max_seconds": seconds})
    print("capturing; Ctrl-C ends it", file=sys.stderr, flush=True)
    deadline = time.monotonic() + seconds
    with suppress(KeyboardInterrupt):
        while time.monotonic() < deadline and not _has_ended(client, call_id):
            time.sleep(min(_LOOK_S, max(0.0, deadline - time.monotonic())))
    ended = client.delete(place)
    if ended.status_code not in (404, 409):  # over by itself: with its call, or at a limit
        demand(ended)
    with client.stream("GET", place) as answer:
        if answer.is_error:
            answer.read()
        demand(answer)
        with out.open("wb") as file:
            for piece in answer.iter_bytes():
                file.write(piece)
    print(f"{out}: {out.stat().st_size} bytes", file=sys.stderr)


def _has_ended(client: httpx.Client, call_id: str) -> bool:
    return bool(ask(client, "GET", f"/v1/calls/{call_id}").json()["call"]["state"] == "ended")
