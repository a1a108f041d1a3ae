"""Where audio passes between parts of this server that are no telephone line: never beyond this machine."""

from __future__ import annotations

from typing import Final

LOOPBACK: Final = "127.0.0.1"
