"""How a benchmark ends when it is told to: as at an error, so that what it has started ends with it."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import NoReturn


def unwind_at_sigterm() -> None:
    """From now on SIGTERM leaves every ``with`` block on its way out. Who has a handler already keeps it."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _exit)


def _exit(number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)
