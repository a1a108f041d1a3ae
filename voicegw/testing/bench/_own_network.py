"""A network namespace for a whole bench: some addresses on its loopback device, and no way out.

baresip takes no loopback address for media, so that the bench begins itself anew where addresses of RFC 5737 are
its own. Needs root, or user namespaces that are not restricted, and the program ``unshare``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from voicegw.base.errors import LocalError

_INSIDE: Final = "VOICEGW_BENCH_INSIDE"
_AS_USER: Final = ("--user", "--map-root-user")


def is_inside() -> bool:
    """Whether this process was begun by :func:`again_inside`."""
    return _INSIDE in os.environ


def again_inside(module: str, arguments: Sequence[str], addresses: Sequence[str]) -> int:
    """Run ``python -m module arguments`` in a network that has ``addresses``; returns its exit status."""
    program = [sys.executable, "-m", module, *arguments]
    for as_user in ((), _AS_USER):
        if subprocess.run(["unshare", "--net", *as_user, "true"], capture_output=True, check=False).returncode == 0:
            command = ["unshare", "--net", *as_user, "sh", "-c", _script(addresses), "sh", *program]
            return subprocess.run(command, env=os.environ | {_INSIDE: "1"}, check=False).returncode
    raise LocalError("no network namespace: this needs root, or user namespaces that are not restricted")


def _script(addresses: Sequence[str]) -> str:
    """The network, then the program that the script is given, in the same process."""
    steps = ["ip link set lo up", *(f"ip address add {address}/32 dev lo" for address in addresses)]
    return " && ".join([*steps, "ip route add default dev lo", 'exec "$@"'])
