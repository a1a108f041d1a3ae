"""``voicegw keys``: the first administrator and keys of the API, from a terminal, by that API."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx

from voicegw.base.errors import LocalError
from voicegw.cli.api_client import api_url, ask

_KEYS = "/v1/keys"
_PAGE = 200


def run(arguments: argparse.Namespace) -> int:
    """Do what ``action`` says; what is made is alone on standard output."""
    if arguments.action == "first":
        with httpx.Client(base_url=api_url(arguments)) as client:
            body = {"token": arguments.link.rpartition("#")[2], "name": arguments.user, "password": _password()}
            ask(client, "POST", "/v1/setup", body)
        return 0
    with _logged_in(arguments) as client:
        match arguments.action:
            case "make":
                wish = {"name": arguments.name, "scopes": arguments.scope, "expires_in_days": arguments.days}
                print(ask(client, "POST", _KEYS, wish).json()["secret"])
            case "revoke":
                ask(client, "DELETE", f"{_KEYS}/{quote(_id_of(client, arguments.name), safe='')}")
            case _:
                for key in _all(client):
                    ends = "revoked" if key["revoked_at"] else f"until {key['expires_at'] or 'revoked'}"
                    print(f"{key['name']:<24} {ends:<26} {', '.join(key['scopes'])}")
    return 0


@contextmanager
def _logged_in(arguments: argparse.Namespace) -> Iterator[httpx.Client]:
    """A session of the user, which ends with the command."""
    with httpx.Client(base_url=api_url(arguments)) as client:
        body = {"name": arguments.user, "password": _password(), "code": arguments.code}
        token = ask(client, "POST", "/v1/session", body).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        try:
            yield client
        finally:
            ask(client, "DELETE", "/v1/session")


def _all(client: httpx.Client) -> Iterator[dict[str, Any]]:
    after = ""
    while True:
        page = ask(client, "GET", f"{_KEYS}?limit={_PAGE}{after}").json()
        yield from page["items"]
        if not page["next"]:
            return
        after = f"&cursor={quote(page['next'], safe='')}"


def _id_of(client: httpx.Client, name: str) -> str:
    for key in _all(client):
        if key["name"] == name:
            return str(key["id"])
    raise LocalError(f"there is no key {name!r} that you may see")


def _password() -> str:
    """From the terminal without showing it, or the first line of what is piped in."""
    return getpass.getpass("password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
