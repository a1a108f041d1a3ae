"""What every engine is given when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from voicegw.base.clock import Clock, SystemClock
from voicegw.base.metrics import Counters


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """``workers``: processes of a local engine. ``cache_dir``: where compiled models are kept between runs."""

    workers: int = 1
    cache_dir: Path = Path("var/cache")
    clock: Clock = field(default_factory=SystemClock)
    counters: Counters = field(default_factory=Counters)
