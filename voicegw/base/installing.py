"""How an optional package gets into the environment that runs."""

from __future__ import annotations

import shlex
import sys


def pip_install(*what: str) -> str:
    """The command to type. A bare pip would be another Python's, and Debian's refuses to install (PEP 668)."""
    return shlex.join((sys.executable, "-m", "pip", "install", *what))
