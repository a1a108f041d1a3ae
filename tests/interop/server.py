"""The real server in a process of its own, with a configuration, calls and recordings that belong to one test."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import yaml

from tests.interop import options_ping
from tests.interop.forked_server import ForkedServer
from tests.interop.namespace import Namespace
from tests.interop.process import Process, alive, descendants
from tests.interop.sound import FRAME, RATE_HZ, Samples, read_wav
from voicegw.testing.ports import free_port, free_ports, give_back

FLOWS = Path(__file__).parent / "flows"
_PATHS = {"dialplan": "dialplan.yaml", "agents": "agents", "calls": "calls", "recordings": "recordings"}
CACHE = Path(__file__).parents[2] / "var" / "cache" / "interop"
"""Language models and prompts that the servers of one agent share: making them anew takes seconds of CPU."""
_START_S = 60.0
_STOP_S = 30.0
_POLL_S = 0.05
_LOOK_S = 0.5
_RECORDED_S = 0.25
"""A recording grows so often."""
_WAV_HEADER = 44
_RTP_PORTS = 40
_TAKES_ALL = {"overload_ms": 10_000}
_NEVER_FULL = {"full_busy": 1.0, "full_late": 1.0}
"""A machine that other tests keep busy is no reason to refuse the calls of this one."""


@dataclass(frozen=True, slots=True)
class CallLog:
    """The facts of one call, as the server wrote them."""

    facts: list[dict[str, Any]]
    moments: tuple[float, ...] = ()
    """When each became known, in ms since the offer."""

    def dated(self, name: str) -> list[tuple[dict[str, Any], float]]:
        """Every fact of this kind with its moment."""
        found = zip(self.facts, self.moments, strict=True)
        return [(fact, moment) for fact, moment in found if fact["fact"] == name]

    def all(self, name: str) -> list[dict[str, Any]]:
        """Every fact of this kind."""
        return [fact for fact in self.facts if fact["fact"] == name]

    def one(self, name: str) -> dict[str, Any]:
        """The only fact of this kind."""
        found = self.all(name)
        assert len(found) == 1, f"{len(found)} × {name} in {[fact['fact'] for fact in self.facts]}"
        return found[0]

    @property
    def cause(self) -> str:
        """Why the call ended, by its name in the catalogue."""
        return str(self.one("CallHasEnded")["cause"])

    @property
    def keys(self) -> str:
        """The keys that the caller pressed."""
        return "".join(fact["digit"] for fact in self.all("KeyWasPressed"))

    @property
    def agent_said(self) -> str:
        """All that was heard of the agent."""
        return " ".join(fact["heard"] for fact in self.all("AgentSpoke"))


class Server:
    """``voicegw serve``. Entering waits until it answers OPTIONS; leaving stops it and checks what it left behind.

    ``agent`` is a flow of ``flows/`` (without its suffix) that takes every call, but for those that ``routes`` of
    the dialplan take before. ``settings`` are more sections of the configuration. ``fresh``: the installed command
    in an interpreter of its own, instead of a fork.
    """

    def __init__(
        self,
        work: Path,
        *,
        agent: str = "echo_keys",
        namespace: Namespace | None = None,
        settings: dict[str, Any] | None = None,
        port: int = 0,
        fresh: bool = False,
        routes: Sequence[dict[str, Any]] = (),
    ) -> None:
        self.host = namespace.address if namespace else "127.0.0.1"
        self.port = port or free_port()
        self._home = work / "server"
        self._namespace = namespace
        self._fresh = fresh
        self._routes = [*routes, {"name": "everything", "agent": agent}]
        self._past: frozenset[Path] = frozenset()
        self._write_files(agent, settings or {})

    @property
    def address(self) -> str:
        """HOST:PORT of its SIP socket."""
        return f"{self.host}:{self.port}"

    @property
    def configuration(self) -> Path:
        """The configuration file."""
        return self._home / "voicegw.yaml"

    @property
    def uri(self) -> str:
        """What a phone dials."""
        return f"sip:demo@{self.address}"

    def calls(self, count: int, within_s: float = 30.0) -> list[CallLog]:
        """Wait until ``count`` calls have ended and no more were made; their logs in order of their start."""
        deadline = time.monotonic() + within_s
        while len(logs := self.ended()) < count:
            assert time.monotonic() < deadline, f"{len(logs)} of {count} calls ended\n{self.process.output}"
            time.sleep(_POLL_S)
        assert len(self._call_files()) == count, self.process.output
        return sorted(logs, key=lambda log: str(log.one("CallWasOffered")["started_at"]))

    def call(self, within_s: float = 30.0) -> CallLog:
        """The only call, once it has ended."""
        return self.calls(1, within_s)[0]

    def called(self, user: str) -> CallLog:
        """The call to ``user`` among several, once it has ended; the others may go on."""
        deadline = time.monotonic() + _START_S
        while True:
            found = [log for log in self.ended() if log.one("CallWasOffered")["called"] == user]
            if found:
                assert len(found) == 1, self.process.output
                return found[0]
            assert time.monotonic() < deadline, self.process.output
            time.sleep(_POLL_S)

    def recording(self, log: CallLog) -> tuple[Samples, Samples]:
        """What the caller said and what the caller was sent, of a call that has ended."""
        caller, agent = read_wav(Path(log.one("RecordingHasEnded")["path"]))
        return caller, agent

    def wait_recorded(self, enough: Callable[[Samples, Samples], bool], within_s: float = 30.0) -> None:
        """Until the recording of the only running call has enough of the caller, and of what that was sent."""
        deadline = time.monotonic() + within_s
        while not ((sound := self._recorded()) and enough(*sound)):
            assert time.monotonic() < deadline, f"not recorded within {within_s} s"
            time.sleep(_RECORDED_S)

    @property
    def recorded_samples(self) -> int:
        """How long what the only running call has on the disk is by now, at 8 kHz."""
        sound = self._recorded()
        return len(sound[0]) if sound else 0

    def _recorded(self) -> tuple[Samples, Samples] | None:
        """At 8 kHz; what the header of a running recording says of its length is not the latest."""
        parts = list((self._home / "recordings").glob("*.wav.part"))
        data = b""
        with suppress(FileNotFoundError):  # it has just ended
            data = parts[0].read_bytes() if len(parts) == 1 else b""
        if len(data) < _WAV_HEADER:
            return None
        factor = int.from_bytes(data[24:28], "little") // RATE_HZ
        both = np.frombuffer(data[_WAV_HEADER : len(data) // 4 * 4], dtype="<i2").reshape(-1, 2)
        means = both[: len(both) // factor * factor].reshape(-1, factor, 2).mean(axis=1).astype(np.int16)
        return means[:, 0], means[:, 1]

    @property
    def lost_s(self) -> float:
        """For how long its media workers stood still, if they could not catch up: what they sent has gaps then."""
        return FRAME / RATE_HZ * self.ticks_lost

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The gateway process stands still inside this block: what arrives meanwhile waits in its socket."""
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)

    def ended(self) -> list[CallLog]:
        """The logs of calls that have ended so far."""
        return [log for log in self._logs() if log.facts and log.facts[-1]["fact"] == "CallHasEnded"]

    def wait_happened(self, happened: Callable[[CallLog], bool], what: str, within_s: float = 60.0) -> None:
        """Until this holds of the facts so far of one of the calls."""
        deadline = time.monotonic() + within_s
        while not any(happened(log) for log in self._logs()):
            assert time.monotonic() < deadline, f"not within {within_s} s: {what}\n{self.process.output}"
            time.sleep(_POLL_S)

    def _logs(self) -> list[CallLog]:
        """All calls, those that are up too."""
        logs = []
        for path in self._call_files():
            lines = path.read_text().splitlines(keepends=True)
            entries = [json.loads(line) for line in lines if line.endswith("\n")]  # the last may be half written
            logs.append(CallLog([entry["data"] for entry in entries], tuple(entry["at_ms"] for entry in entries)))
        return logs

    def forget_calls(self, within_s: float = 30.0) -> None:
        """Wait until no call is up. From here on only later ones count: the next test begins."""
        deadline = time.monotonic() + within_s
        while len(self.ended()) < len(files := self._call_files()):
            assert time.monotonic() < deadline, f"a call goes on\n{self.process.output}"
            time.sleep(_POLL_S)
        self._past |= files
        assert self.process.running and self.complaints() == [], self.process.output

    def _call_files(self) -> frozenset[Path]:
        return frozenset((self._home / "calls").glob("*.jsonl")) - self._past

    def _write_files(self, agent: str, settings: dict[str, Any]) -> None:
        (self._home / "agents").mkdir(parents=True)
        for name in {route["agent"] for route in self._routes if "agent" in route}:
            text = (FLOWS / f"{name}.yaml").read_text()
            (self._home / "agents" / f"{name}.yaml").write_text(text)
        (self._home / "dialplan.yaml").write_text(yaml.safe_dump({"routes": self._routes}))
        first = self._kept = free_ports(_RTP_PORTS, kept=True)  # most of them are unbound most of the time
        config = (
            {"api": {"enabled": False}, "speech": {"asr_workers": 1}}  # what most tests have no use for
            | settings
            | {
                "sip": {"listen_ip": self.host, "listen_port": self.port} | _TAKES_ALL | settings.get("sip", {}),
                "media": {"port_low": first, "port_high": first + _RTP_PORTS - 1}
                | _NEVER_FULL
                | settings.get("media", {}),
                "paths": _PATHS | {"cache": str(CACHE / agent)},
                "limits": {"drain_s": 1.0},
                "log": {"format": "json"} | settings.get("log", {}),
            }
        )
        (self._home / "voicegw.yaml").write_text(yaml.safe_dump(config))

    def write_trunk(self, name: str, **settings: Any) -> None:
        """A file of a trunk, before the server starts."""
        directory = self._home / "trunks"
        directory.mkdir(exist_ok=True)
        (directory / f"{name}.yaml").write_text(yaml.safe_dump({"name": name} | settings))

    def __enter__(self) -> Self:
        self.process = self._start()
        if not self._answers():
            self.process.kill()
            raise AssertionError(f"the server did not come up\n{self.process.output}")
        return self

    def _start(self) -> Process:
        args, log = ["serve", "--config", str(self.configuration)], self._home / "server.log"
        if not self._fresh:
            return ForkedServer(args, log, namespace=self._namespace, cwd=self._home)
        voicegw = str(Path(sys.prefix) / "bin" / "voicegw")
        return Process([voicegw, *args], log, namespace=self._namespace, cwd=self._home)

    def _answers(self) -> bool:
        """Whether it answers in time."""
        deadline = time.monotonic() + _START_S
        if self._namespace is None:
            while self.process.running and time.monotonic() < deadline:
                if options_ping.ping(self.host, self.port, _LOOK_S):
                    return True
            return False
        ping = [sys.executable, options_ping.__file__, self.host, str(self.port), str(_START_S)]
        with Process(ping, self._home / "ping.log", namespace=self._namespace) as ready:
            while self.process.running and ready.running:
                time.sleep(_POLL_S)
            return self.process.running and ready.wait(_STOP_S) == 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        helpers = descendants(self.process.pid)
        status = self.process.stop(timeout_s=_STOP_S)
        give_back(self._kept)
        if error is not None:
            print(self.process.output)  # pytest shows it with the failure
            return
        assert status == 0, f"the server ended with {status}\n{self.process.output}"
        assert alive(helpers) == [], f"left behind: {alive(helpers)}\n{self.process.output}"
        assert self.complaints() == [], self.process.output

    @property
    def ticks_lost(self) -> int:
        """Frames of 20 ms that its media workers have left out so far, because the machine held them up."""
        lines = self.process.output.splitlines(keepends=True)
        lost = [json.loads(line) for line in lines if '"media ticks lost"' in line and line.endswith("\n")]
        return sum(line["frames"] for line in lost)

    def complaints(self) -> list[str]:
        """What it logged as an error, and all lines that are no log lines at all, such as tracebacks."""
        lines = self.process.output.splitlines(keepends=True)
        if self.process.running and lines and not lines[-1].endswith("\n"):
            lines.pop()  # it is still being written
        return [line.rstrip("\n") for line in lines if line.strip() and not _is_calm(line)]


def _is_calm(line: str) -> bool:
    try:
        return json.loads(line)["level"] in {"debug", "info", "warning"}
    except (ValueError, KeyError, TypeError):
        return False
