"""A client of the admin API that runs inside a namespace: reads requests from standard input, prints answers.

A request is a JSON object a line: ``method``, ``path``, ``json``, ``headers``; or ``watch`` (a path of server-sent
events) with ``until``, the name of the last event to wait for.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import httpx

from tests.interop.process import time_with_a_processor

_WATCH_S = 40.0


def answer(client: httpx.Client, request: dict[str, Any]) -> dict[str, Any]:
    """Send it; ``took_ms`` is how long a person would have waited, if we had always had a processor."""
    if "watch" in request:
        return {"events": watch(client, request["watch"], request["until"])}
    began = time_with_a_processor()
    headers = request.get("headers")
    got = client.request(request["method"], request["path"], json=request.get("json"), headers=headers)
    took_ms = (time_with_a_processor() - began) * 1000
    return {"status": got.status_code, "body": got.json() if got.content else None, "took_ms": took_ms}


def watch(client: httpx.Client, path: str, until: str) -> list[dict[str, Any]]:
    """The events up to one of that name."""
    events: list[dict[str, Any]] = []
    with client.stream("GET", path, timeout=_WATCH_S) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: {"):
                events.append(json.loads(line[6:]))
                if until in map(events[-1]["data"].get, ("fact", "alert", "news")):
                    break
    return events


def main(url: str) -> None:
    """Until standard input ends; ``url`` is that of the API."""
    with httpx.Client(base_url=url, timeout=40) as client:
        for line in sys.stdin:
            request = json.loads(line)
            client.headers.update(request.pop("login", {}))
            print(json.dumps(answer(client, request)), flush=True)
