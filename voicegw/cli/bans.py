"""``voicegw bans``: whom the guard of a running server ignores, by its API."""

from __future__ import annotations

import argparse
from urllib.parse import quote

from voicegw.cli.api_client import api_client, ask

_PLACE = "/v1/guard/bans"


def run(arguments: argparse.Namespace) -> int:
    """List them, or change one."""
    with api_client(arguments, "read and change settings") as client:
        if arguments.add:
            ask(client, "POST", _PLACE, {"host": arguments.add, "seconds": arguments.seconds})
        elif arguments.lift:
            ask(client, "DELETE", f"{_PLACE}/{quote(arguments.lift, safe='')}")
        else:
            for ban in ask(client, "GET", _PLACE).json():
                print(f"{ban['host']:<40} {ban['ends_in_s']:>8.0f} s  {ban['reason']}")
    return 0
