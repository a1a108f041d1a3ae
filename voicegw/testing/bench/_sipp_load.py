"""sipp with a scene of ours at a steady rate, and what became of its calls."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voicegw.base.errors import LocalError

_ALL_PASSED: Final = 0
_SOME_FAILED: Final = 1
_KILL_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Scene:
    """``calls`` calls of a scenario, ``per_s`` a second on average, to a ``service`` of the server."""

    name: str
    text: str
    service: str = "talk"
    per_s: float = 1.0
    calls: int = 1
    transport: str = "u1"
    """sipp's word: ``u1`` is UDP from one socket, ``t1`` TCP by one connection."""
    timed: bool = False
    """Whether times are wanted, to the millisecond; it costs sipp a tenth of a processor."""
    core: int = -1
    """The processor that it may use; -1: any."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of the calls that sipp began, how many went as the scene says. ``counted`` are its own counters, ``times_ms``
    its timers (in ms, in a resolution of one)."""

    began: int
    passed: int
    failed: int
    retransmissions: int
    counted: Mapping[str, int]
    times_ms: Mapping[str, tuple[float, ...]]
    errors: str

    @property
    def undecided(self) -> int:
        """Calls that are neither."""
        return self.began - self.passed - self.failed


class SippLoad:
    """One sipp in the background. ``target`` empty: it is the one that is called, for as long as the others need.

    ``media_ports`` are its own, from an even one to where they end.
    """

    def __init__(self, home: Path, target: str, scene: Scene, sip_port: int, media_ports: tuple[int, int]) -> None:
        program = shutil.which("sipp")
        if program is None:
            raise LocalError("sipp is missing (Debian package sip-tester)")
        self.scene = scene
        self._home = home / scene.name
        self._home.mkdir(parents=True)
        (self._home / "scene.xml").write_text(scene.text)
        args = [program, *([target, "-s", scene.service] if target else []), "-sf", "scene.xml"]
        args += ["-i", "127.0.0.1", "-p", str(sip_port), "-t", scene.transport]
        low, _end = media_ports
        args += ["-mi", "127.0.0.1", "-mp", str(low)]
        # Calls for each period: sipp's rates are whole numbers.
        args += ["-r", str(max(1, round(scene.per_s * 10))), "-rp", "10000"] if target else ["-rtp_echo"]
        args += ["-m", str(scene.calls), "-l", "100000", "-nostdin", "-skip_rlimit"]
        args += ["-timer_resol", "1" if scene.timed else "20"]
        args += ["-buff_size", "4194304", "-watchdog_minor_maxtriggers", "1000000"]
        args += ["-watchdog_major_maxtriggers", "1000000", "-trace_err", "-error_file", "errors.log"]
        args += ["-trace_stat", "-stf", "stat.csv", "-fd", "5"]
        args += ["-trace_rtt", "-rtt_freq", "1"] if scene.timed else []
        with (self._home / "screen.log").open("wb") as log:
            self._process = subprocess.Popen(
                args, cwd=self._home, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        if scene.core >= 0:
            os.sched_setaffinity(self._process.pid, {scene.core})

    @property
    def running(self) -> bool:
        """Whether it has calls left; LocalError if it could not call at all."""
        status = self._process.poll()
        if status is not None and status not in (_ALL_PASSED, _SOME_FAILED):
            raise LocalError(f"sipp did not run: {self._text('screen.log')[-500:]}")
        return status is None

    def end(self) -> None:
        """Stop it: at once if it does not heed."""
        self._process.terminate()
        try:
            self._process.wait(_KILL_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def outcome(self) -> Outcome:
        """As far as it has come."""
        rows: list[dict[str, str]] = []
        if (file := self._home / "stat.csv").exists():
            with file.open(newline="") as lines:
                rows = list(csv.DictReader(lines, delimiter=";"))
        if not rows:
            raise LocalError(f"sipp did not run: {self._text('screen.log')[-500:]}")
        last = rows[-1]
        counted = {name: int(last.get(f"{name}(C)", "0")) for name in ("up", "refused")}
        return Outcome(
            began=int(last["TotalCallCreated"]),
            passed=int(last["SuccessfulCall(C)"]),
            failed=int(last["FailedCall(C)"]),
            retransmissions=int(last["Retransmissions(C)"]),
            counted=counted,
            times_ms=self._times(),
            errors=self._text("errors.log"),
        )

    def _times(self) -> dict[str, tuple[float, ...]]:
        found: dict[str, list[float]] = {}
        for path in self._home.glob("*rtt.csv"):
            for line in path.read_text().splitlines()[1:]:
                if line.count(";") >= 2:
                    _at, took, name = line.split(";")[:3]
                    found.setdefault(name, []).append(float(took))
        return {name: tuple(values) for name, values in found.items()}

    def _text(self, name: str) -> str:
        file = self._home / name
        return file.read_text(errors="replace") if file.exists() else ""
