"""The machine's own table of names, /etc/hosts: whoever wrote a name there wants no DNS to be asked for it."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from voicegw.sip.address import is_literal

HOSTS = Path("/etc/hosts")
LOCALHOST = ("127.0.0.1", "::1")
"""RFC 6761 §6.3: never a question for the DNS."""


class HostsFile:
    """Names and their addresses, as they were at the latest ``refresh``."""

    def __init__(self, path: Path = HOSTS) -> None:
        self._path = path
        self._stamp: tuple[int, int] = (0, 0)
        self._names: dict[str, tuple[str, ...]] = {}

    def addresses(self, name: str) -> tuple[str, ...]:
        """The addresses of a name, in the order of the file; none where it has no such name."""
        found = self._names.get(name.lower(), ())
        return found or (LOCALHOST if name.lower() == "localhost" else ())

    def refresh(self) -> None:
        """Read the file again if it has changed."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._names = parse_hosts(self._path.read_text(errors="replace"))
                self._stamp = stamp
        except OSError:
            self._names, self._stamp = {}, (0, 0)


def parse_hosts(text: str) -> dict[str, tuple[str, ...]]:
    """Names in lower case to addresses (hosts(5)); what is no address is left out."""
    names: dict[str, list[str]] = defaultdict(list)
    for line in text.splitlines():
        address, *aliases = line.partition("#")[0].split() or [""]
        if is_literal(address):
            for alias in aliases:
                names[alias.lower()].append(address)
    return {name: tuple(dict.fromkeys(addresses)) for name, addresses in names.items()}
