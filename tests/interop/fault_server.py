"""The server under test, with what a test of failures needs besides: its workers' pids, live facts, counters."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import yaml

from tests.interop.forked_workers import name_of
from tests.interop.namespace import Namespace
from tests.interop.process import alive, descendants
from tests.interop.raw_phone import RawPhone
from tests.interop.server import CallLog, Server

MEDIA = "voicegw.server_media"
ASR = "voicegw.inference.asr"
TTS = "voicegw.inference.tts"
_POLL_S = 0.02


class Caller(Protocol):
    """Whose call it is."""

    @property
    def call_id(self) -> str: ...


class FaultServer(Server):
    """``expected`` are parts of log lines that are complaints, but owed to the fault that the test makes.

    ``settings`` are laid over the configuration, section by section.
    """

    def __init__(
        self,
        work: Path,
        *,
        agent: str = "echo_keys",
        namespace: Namespace | None = None,
        settings: dict[str, dict[str, Any]] | None = None,
        expected: tuple[str, ...] = (),
        fresh: bool = False,
        port: int = 0,
    ) -> None:
        super().__init__(work, agent=agent, namespace=namespace, fresh=fresh, port=port)
        self.home = work / "server"
        self._expected = expected
        self._killed = False
        self._change_settings(settings or {})

    def _change_settings(self, settings: dict[str, dict[str, Any]]) -> None:
        path = self.home / "voicegw.yaml"
        config = yaml.safe_load(path.read_text()) | {"speech": {"asr_workers": 1, "tts": ["flite"]}}
        for section, values in settings.items():
            config[section] = config.get(section, {}) | values
        path.write_text(yaml.safe_dump(config))

    def use_agent(self, flow: Path) -> None:
        """Let the flow of this file take every call, from the next start or reload on."""
        (self.home / "agents" / flow.name).write_text(flow.read_text())
        routes = {"routes": [{"name": flow.stem, "agent": flow.stem}]}
        (self.home / "dialplan.yaml").write_text(yaml.safe_dump(routes))

    def phone(self, user: str = "demo") -> RawPhone:
        """A caller."""
        return RawPhone((self.host, self.port), user=user)

    # ------------------------------------------------------------ processes

    @property
    def children(self) -> list[int]:
        """All processes of the server but its own."""
        return alive(descendants(self.process.pid))

    def workers(self, module: str) -> list[int]:
        """The pids of the living workers whose module begins so."""
        return [pid for pid in self.children if _runs(pid, module)]

    def kill_workers(self, module: str) -> list[int]:
        """SIGKILL every worker of this kind; their pids."""
        pids = self.workers(module)
        assert pids, f"no {module} among {[_command_line(pid) for pid in self.children]}"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return pids

    def worker_at(self, port: int) -> int:
        """The pid of the media worker that has this UDP port, on loopback."""
        rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
        inodes = {f"socket:[{row[9]}]" for row in rows if int(row[1].rpartition(":")[2], 16) == port}
        (found,) = [pid for pid in self.workers(MEDIA) if inodes & set(_descriptors(pid))]
        return found

    def kill(self) -> None:
        """SIGKILL the gateway process itself."""
        self._killed = True
        self.process.kill()

    # ------------------------------------------------------------ facts and logs

    def log_of(self, phone: Caller) -> CallLog:
        """The facts so far of this phone's call."""
        for path in (self.home / "calls").glob("*.jsonl"):
            facts = [
                json.loads(line)["data"] for line in path.read_text().splitlines(keepends=True) if line[-1:] == "\n"
            ]
            if _offer(facts) == phone.call_id:
                return CallLog(facts)
        return CallLog([])

    def calls_of(self, calling: str) -> list[CallLog]:
        """The logs of the calls of one caller that have ended: at least one, whose record may still be closing."""

        def ended() -> list[CallLog]:
            return [log for log in self.ended() if log.one("CallWasOffered")["calling"] == calling]

        self.wait(lambda: bool(ended()), 30, f"a call of {calling} has ended")
        return ended()

    def wait_facts(self, phone: Caller, fact: str, count: int = 1, within_s: float = 30.0) -> list[dict[str, Any]]:
        """Wait until the call has so many facts of a kind; all of them."""
        self.wait(lambda: len(self.log_of(phone).all(fact)) >= count, within_s, f"{count} × {fact}")
        return self.log_of(phone).all(fact)

    def wait_said(self, phone: Caller, words: str, *, count: int = 1, within_s: float = 30.0) -> None:
        """Wait until the agent has said this to the end, so many times."""
        said = f"{count} × the agent says {words!r}"
        self.wait(lambda: self.log_of(phone).agent_said.count(words) >= count, within_s, said)

    def wait_ended(self, phone: Caller, within_s: float = 30.0) -> CallLog:
        """The whole log of this phone's call."""
        self.wait_facts(phone, "CallHasEnded", within_s=within_s)
        return self.log_of(phone)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log so far."""
        return [json.loads(line) for line in self.process.output.splitlines(keepends=True) if line.endswith("}\n")]

    def logged(self, message: str) -> list[dict[str, Any]]:
        """The log lines with this message."""
        return [line for line in self.lines if message in line["msg"]]

    def wait_logged(self, message: str, count: int = 1, within_s: float = 30.0) -> dict[str, Any]:
        """Wait for a log line; the newest."""
        self.wait(lambda: len(self.logged(message)) >= count, within_s, f"log line {message!r}")
        return self.logged(message)[-1]

    @property
    def counters(self) -> dict[str, int]:
        """What was counted, as said at the stop: to be asked after the ``with`` block."""
        counters: dict[str, int] = self.logged("stopped")[-1]["counters"]
        return counters

    def wait(self, condition: Callable[[], bool], within_s: float, what: str) -> None:
        """Until the condition holds."""
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {within_s} s: {what}\n{self.process.output}"
            time.sleep(_POLL_S)

    def complaints(self) -> list[str]:
        return [line for line in super().complaints() if not any(part in line for part in self._expected)]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._killed:
            super().__exit__(kind, error, trace)
        self._killed = False


def _offer(facts: list[dict[str, Any]]) -> str:
    return next((fact["sip_call_id"] for fact in facts if fact["fact"] == "CallWasOffered"), "")


def _runs(pid: int, module: str) -> bool:
    """Whether it is an interpreter, or a fork, that runs such a module."""
    if any(part.startswith(module) for part in _command_line(pid)):
        return True
    try:
        return Path(f"/proc/{pid}/comm").read_text().startswith(name_of(module))
    except OSError:
        return False


def _descriptors(pid: int) -> list[str]:
    """What each of its descriptors is, but for those that it closes meanwhile."""
    found = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(entry.readlink()))
    return found


def _command_line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []
