"""sipp as the load of the SIP bench: so many calls at such a rate, each with the time from INVITE to 200."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from voicegw.base.errors import LocalError

PASSWORD: Final = "rose"
"""Of every phone of the bench."""
_PRECEDENCE: Final = 5
"""Of SCHED_FIFO; our media worker has 10."""
_SCENARIO: Final = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="bench">
  <send retrans="500" start_rtd="setup"><![CDATA[

    INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:bench@[local_ip]:[local_port]>;tag=[call_number]
    To: <sip:[service]@[remote_ip]:[remote_port]>
    Call-ID: [call_id]
    CSeq: 1 INVITE
    Contact: <sip:bench@[local_ip]:[local_port];transport=[transport]>
    Max-Forwards: 70
    Allow: INVITE, ACK, CANCEL, BYE, OPTIONS
    Content-Type: application/sdp
    Content-Length: [len]

    v=0
    o=bench 1 1 IN IP[local_ip_type] [local_ip]
    s=-
    c=IN IP[media_ip_type] [media_ip]
    t=0 0
    m=audio [media_port] RTP/AVP 0 8 101
    a=rtpmap:101 telephone-event/8000
  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="200" rtd="setup"/>
  <send><![CDATA[

    ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:bench@[local_ip]:[local_port]>;tag=[call_number]
    [last_To:]
    Call-ID: [call_id]
    CSeq: 1 ACK
    Max-Forwards: 70
    Content-Length: 0

  ]]></send>
  <pause/>
  <send retrans="500"><![CDATA[

    BYE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:bench@[local_ip]:[local_port]>;tag=[call_number]
    [last_To:]
    Call-ID: [call_id]
    CSeq: [cseq] BYE
    Max-Forwards: 70
    Content-Length: 0

  ]]></send>
  <recv response="200"/>
</scenario>
"""

_REGISTER: Final = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="register">
  <send retrans="500" start_rtd="setup"><![CDATA[

    REGISTER sip:bench.invalid SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:[field0]@bench.invalid>;tag=[call_number]
    To: <sip:[field0]@bench.invalid>
    Call-ID: [call_id]
    CSeq: 1 REGISTER
    Contact: <sip:[field0]@[local_ip]:[local_port]>
    Expires: 3600
    Max-Forwards: 70
    Content-Length: 0

  ]]></send>
  <recv response="401" auth="true"/>
  <send retrans="500"><![CDATA[

    REGISTER sip:bench.invalid SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:[field0]@bench.invalid>;tag=[call_number]
    To: <sip:[field0]@bench.invalid>
    Call-ID: [call_id]
    CSeq: 2 REGISTER
    Contact: <sip:[field0]@[local_ip]:[local_port]>
    Expires: 3600
    Max-Forwards: 70
    [field1]
    Content-Length: 0

  ]]></send>
  <recv response="200" rtd="setup"/>
</scenario>
"""
_PRESS: Final = """  <pause milliseconds="EVERY"/>
  <send retrans="500"><![CDATA[

    INFO sip:[service]@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:bench@[local_ip]:[local_port]>;tag=[call_number]
    [last_To:]
    Call-ID: [call_id]
    CSeq: [cseq] INFO
    Max-Forwards: 70
    Content-Type: application/dtmf-relay
    Content-Length: [len]

    Signal=KEY
    Duration=160
  ]]></send>
  <recv response="200"/>
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What sipp is to do: ``calls`` calls, ``rate`` a second, each ``hold_ms`` long."""

    rate: int
    calls: int
    hold_ms: int = 0
    transport: str = "u1"
    """sipp's word: ``u1`` is UDP from one socket, ``t1`` TCP by one connection."""
    registers: bool = False
    """Instead of calling, phone ``p0`` registers, then ``p1``, and so on."""
    echo_port: int = 0
    """Where sipp takes audio and sends it straight back (two ports); 0 for none."""
    key: str = ""
    """Pressed every ``key_every_ms`` of a call, by INFO."""
    key_every_ms: int = 10_000


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What became of it. Set-up times are in ms, in sipp's own resolution of one."""

    offered: int
    succeeded: int
    retransmissions: int
    setup_ms: tuple[float, ...]
    seconds: float

    @property
    def all_passed(self) -> bool:
        """Whether every call went as it should."""
        return self.succeeded == self.offered


class Sipp:
    """One run in the background; ``result`` waits for it."""

    def __init__(self, target: str, load: Load) -> None:
        program = shutil.which("sipp")
        if program is None:
            raise LocalError("sipp is missing (Debian package sip-tester)")
        self._load = load
        self._folder = tempfile.TemporaryDirectory()
        home = Path(self._folder.name)
        (home / "bench.xml").write_text(_REGISTER if load.registers else _calling(load))
        args = [program, target, "-sf", "bench.xml", "-i", "127.0.0.1", "-t", load.transport]
        args += ["-r", str(load.rate), "-m", str(load.calls), "-l", "100000", "-d", str(load.hold_ms)]
        args += ["-nostdin", "-skip_rlimit", "-timeout", f"{300 + load.hold_ms // 1000}s"]
        args += ["-timer_resol", "1", "-buff_size", "4194304"]
        # It gives up after some stalls of the machine; ours are told by the set-up times.
        args += ["-watchdog_minor_maxtriggers", "1000000", "-watchdog_major_maxtriggers", "1000000"]
        args += ["-trace_rtt", "-rtt_freq", "1", "-trace_stat", "-stf", "stat.csv", "-fd", "1"]
        if load.echo_port:
            args += ["-rtp_echo", "-mi", "127.0.0.1", "-mp", str(load.echo_port)]
        if load.registers:
            rows = [f"p{n};[authentication username=p{n} password={PASSWORD}]" for n in range(load.calls)]
            (home / "phones.csv").write_text("\n".join(["SEQUENTIAL", *rows, ""]))
            args += ["-inf", "phones.csv"]
        with (home / "screen.log").open("wb") as log:
            self._process = subprocess.Popen(
                args, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    @property
    def running(self) -> bool:
        """Whether it still calls."""
        return self._process.poll() is None

    def go_first(self) -> None:
        """Give it a processor before other work, where we may: a telephone has a machine of its own."""
        for task in Path(f"/proc/{self._process.pid}/task").iterdir():
            with suppress(OSError):
                os.sched_setscheduler(int(task.name), os.SCHED_FIFO, os.sched_param(_PRECEDENCE))

    def result(self) -> LoadResult:
        """Wait for the end."""
        try:
            self._process.wait()
            return self._read(Path(self._folder.name))
        finally:
            self._folder.cleanup()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def _read(self, home: Path) -> LoadResult:
        with (home / "stat.csv").open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        if not rows:
            raise LocalError(f"sipp did not run: {(home / 'screen.log').read_text(errors='replace')[-500:]}")
        last = rows[-1]
        setup = [
            float(line.split(";")[1])
            for path in home.glob("*rtt.csv")
            for line in path.read_text().splitlines()[1:]
            if line.count(";") >= 2
        ]
        return LoadResult(
            offered=int(last["TotalCallCreated"]),
            succeeded=int(last["SuccessfulCall(C)"]),
            retransmissions=int(last["Retransmissions(C)"]),
            setup_ms=tuple(setup),
            seconds=_seconds(last["ElapsedTime(C)"]),
        )


def _calling(load: Load) -> str:
    """The scenario of a call, with keys pressed in it."""
    if not load.key:
        return _SCENARIO
    press = _PRESS.replace("KEY", load.key).replace("EVERY", str(load.key_every_ms))
    return _SCENARIO.replace("  <pause/>\n", press * (load.hold_ms // load.key_every_ms))


def _seconds(text: str) -> float:
    """``00:00:05`` or ``00:00:05:123``, as sipp writes it."""
    hours, minutes, seconds, *rest = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds) + (float(rest[0]) / 1e6 if rest else 0.0)
