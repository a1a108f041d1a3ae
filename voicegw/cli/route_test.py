"""``voicegw route-test``: which route a call would take, and why not the others."""

from __future__ import annotations

import argparse
from datetime import datetime

from voicegw.base.errors import ConfigError
from voicegw.config import load_config
from voicegw.dialplan.compile import RouteRequest
from voicegw.dialplan.explain import explain
from voicegw.server import load_offline


def run(arguments: argparse.Namespace) -> int:
    """Print the explanation. 0 whatever the decision: a reject is an answer too."""
    config = load_config(arguments.config)
    dialplan = load_offline(config).dialplan
    headers = tuple(_header(text) for text in arguments.header)
    request = RouteRequest(
        arguments.to,
        arguments.from_,
        _at(arguments.at),
        headers,
        arguments.trunk,
        arguments.original,
        arguments.siprec,
        arguments.verified or ("passed" if arguments.attestation else ""),
        arguments.attestation,
    )
    print(explain(dialplan, request).text())
    return 0


def _at(text: str) -> datetime:
    if not text:
        return datetime.now().astimezone()
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise ConfigError(f"--at {text!r} is no date and time", fix="write it like 2026-03-01T09:30") from None


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise ConfigError(f"--header {text!r} is no header", fix="write it like X-Customer: gold")
    return name.strip(), value.strip()
