"""sipp as a peer: a scenario file of ours (or one built in), its verdict, and every message it saw."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Self

from tests.interop.namespace import Namespace
from tests.interop.process import Process, program_of
from voicegw.testing.ports import free_port, free_ports, is_bound

SCENARIOS = Path(__file__).parent / "sipp"
_POLL_S = 0.02
_START_S = 30.0
_LOST = r"(?:\w+ message (?:voluntary )?lost \([a-z ]+\)\.)*"
"""What sipp says of a message that it lost on purpose, without an end of the line."""
TOLD = "told"
"""In place of a number of ms: the call goes on until the test has heard enough, and says so (:meth:`Sipp.tell`)."""
UNTIL_TOLD = '<nop><action><log message="waits"/></action></nop>\n<recv request="PUBLISH" timeout="60000"/>\n'
"""The same as a part of a scenario."""
_WAITING = f'<pause milliseconds="{TOLD}"/>'
_KEPT = re.compile(r"^(?:Via|From|To|Call-ID|CSeq)\s*:.*$|^[vfti]\s*:.*$", re.MULTILINE | re.IGNORECASE)
_HEADING = re.compile(rf"^{_LOST}-{{10,}} .*\n\w+ message (sent|received) .*:\n\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Seen:
    """One SIP message in sipp's log."""

    sent: bool
    text: str

    @property
    def start_line(self) -> str:
        return self.text.partition("\n")[0].strip()

    def header(self, name: str) -> str:
        """The first value of a header, "" without one."""
        found = re.search(rf"^{re.escape(name)}\s*:\s*(.*?)\s*$", self.text, re.MULTILINE | re.IGNORECASE)
        return found.group(1) if found else ""

    @property
    def body(self) -> str:
        return self.text.partition("\n\n")[2]


class Sipp:
    """One sipp process. ``scenario`` is a file in ``sipp/`` without its suffix, "-sn NAME" for a built-in one, or
    the text of one (:mod:`tests.interop.sipp_script`).

    ``values`` replace ``$name`` in the file before sipp reads it; ``extra`` is appended to the command line.
    The exit status is 0 only if every call of the scenario passed.
    """

    def __init__(
        self,
        work: Path,
        scenario: str,
        *,
        target: str = "",
        service: str = "demo",
        port: int = 0,
        timeout_s: int = 60,
        calls: int = 1,
        values: dict[str, str] | None = None,
        extra: tuple[str, ...] = (),
        namespace: Namespace | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        host = namespace.address if namespace else host
        self._work = work / f"sipp-{free_port()}"
        self._work.mkdir(parents=True)
        self.port = port or free_port()
        self.media_port = free_ports(4)
        self._timeout_s = timeout_s
        self._host = host
        self._told = 0
        program = program_of("sipp", "sip-tester")
        args = [program, *([target] if target else []), *self._scenario(scenario, values or {})]
        args += ["-i", host, "-p", str(self.port), "-mi", host, "-mp", str(self.media_port)]
        args += ["-s", service, "-m", str(calls), "-l", str(calls), "-nostdin", "-skip_rlimit"]
        args += ["-timeout", f"{timeout_s}s", "-timeout_error"]
        args += ["-trace_msg", "-message_file", "messages.log", "-trace_err", "-error_file", "errors.log"]
        args += ["-trace_logs", "-log_file", "waits.log"]
        self.process = Process([*args, *extra], self._work / "screen.log", namespace=namespace, cwd=self._work)

    def _scenario(self, scenario: str, values: dict[str, str]) -> list[str]:
        if scenario.startswith("-sn "):
            return scenario.split()
        written = scenario.startswith("<")
        text = (
            scenario
            if written
            else Template((SCENARIOS / f"{scenario}.xml").read_text()).substitute({"shown": "sipp"} | values)
        )
        (self._work / "scenario.xml").write_text(text.replace(_WAITING, UNTIL_TOLD))
        return ["-sf", "scenario.xml"]

    def passed(self) -> None:
        """Wait for the end; fail with sipp's own errors and the message log unless every call passed."""
        status = self.process.wait(self._timeout_s + 10)
        assert status == 0, f"sipp ended with {status}\n{self.errors}\n{self._read('messages.log')}"

    def tell(self, within_s: float = 30.0) -> None:
        """Its only call goes on, which waits for that with :data:`UNTIL_TOLD`, or will in a moment; by UDP alone.

        What tells it so has the headers of what it received last, which its next answer may copy.
        """
        self._told += 1
        deadline = time.monotonic() + within_s
        while self._read("waits.log").count("waits") < self._told:
            assert self.process.running and time.monotonic() < deadline, self.errors + self._read("messages.log")
            time.sleep(_POLL_S)
        last = [seen for seen in self.messages if not seen.sent][-1]
        lines = ["PUBLISH sip:sipp SIP/2.0", *_KEPT.findall(last.text.partition("\n\n")[0]), "Content-Length: 0"]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
            endpoint.sendto("\r\n".join([*lines, "", ""]).encode(), (self._host, self.port))

    @property
    def call_id(self) -> str:
        """Of its first call."""
        return self.messages[0].header("Call-ID")

    @property
    def errors(self) -> str:
        return self._read("errors.log")

    @property
    def messages(self) -> list[Seen]:
        """All messages so far, in order."""
        pieces = _HEADING.split(self._read("messages.log").replace("\r\n", "\n"))
        return [Seen(way == "sent", text) for way, text in zip(pieces[1::2], pieces[2::2], strict=True)]

    def received(self, start: str, cseq: str = "") -> list[Seen]:
        """The received messages whose first line starts so and whose CSeq names this method."""
        found = [seen for seen in self.messages if not seen.sent and seen.start_line.startswith(start)]
        return [seen for seen in found if seen.header("CSeq").endswith(cseq)]

    def distinct(self, start: str, cseq: str = "") -> list[Seen]:
        """The same, but each once: whoever waits too long for an answer sends what it sent again."""
        return list(dict.fromkeys(self.received(start, cseq)))

    def wait_for(self, start: str, cseq: str = "", within_s: float = 30.0) -> Seen:
        """The first received message that :meth:`received` finds; fails if none comes in time."""
        deadline = time.monotonic() + within_s
        while not (found := self.received(start, cseq)):
            assert self.process.running and time.monotonic() < deadline, f"no {start}\n{self._read('messages.log')}"
            time.sleep(_POLL_S)
        return found[0]

    def started(self, sent: int) -> Self:
        """Wait until it has sent so many messages."""
        deadline = time.monotonic() + _START_S
        while sum(seen.sent for seen in self.messages) < sent:
            assert self.process.running and time.monotonic() < deadline, self.errors
            time.sleep(_POLL_S)
        return self

    def listening(self) -> Self:
        """Wait until it has its port, by UDP or TCP: a called sipp loses what comes before."""
        if "-t" in self.process.args:
            self.process.wait_listening(self.port, _START_S)
            return self
        deadline = time.monotonic() + _START_S
        while self.process.running and not is_bound(self.port, self.process.pid):
            assert time.monotonic() < deadline, self.errors
            time.sleep(_POLL_S)
        assert self.process.running, self.errors
        return self

    def final_answers(self) -> list[Seen]:
        """The distinct 200s to INVITE and re-INVITE, in order."""
        answers = {answer.header("CSeq"): answer for answer in self.received("SIP/2.0 200", "INVITE")}
        return list(answers.values())

    def answered_port(self) -> int:
        """Wait for the 200 to the INVITE; the RTP port in its SDP."""
        answer = self.wait_for("SIP/2.0 200", "INVITE").body
        media = re.search(r"^m=audio (\d+) ", answer, re.MULTILINE)
        assert media, f"no audio in the answer:\n{answer}"
        return int(media.group(1))

    def _read(self, name: str) -> str:
        path = self._work / name
        return path.read_text(errors="replace") if path.exists() else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.running:
            self.process.kill()
