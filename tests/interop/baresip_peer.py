"""baresip without a sound card: speaks a WAV file, records both directions, obeys commands over TCP.

Its core refuses loopback media, so it lives in a :class:`Namespace`; the control port does too, therefore the
commands are given by a small helper process inside (:mod:`tests.interop.baresip_control`).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from tests.interop.namespace import Namespace
from tests.interop.process import Process
from tests.interop.sound import RATE_HZ, Samples, read_any_wav, read_wav, write_wav
from voicegw.testing.ports import free_port, free_ports

_MODULES = (Path("/usr/lib/baresip/modules"), Path("/usr/lib/x86_64-linux-gnu/baresip/modules"))
_CONFIG = """\
poll_method epoll
sip_listen {host}:{port}
call_local_timeout 20
call_max_calls 4
audio_source aufile,{speech}
audio_player aubridge,sink
audio_alert aubridge,alert
ausrc_srate {rate}
auplay_srate {rate}
ausrc_channels 1
auplay_channels 1
ausrc_format s16
auplay_format s16
rtp_ports {rtp}-{rtp_last}
module_path {modules}
module {codec}.so
module sndfile.so
module aufile.so
module aubridge.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {host}:{control}
module cons.so
cons_listen {host}:{keyboard}
snd_path {dumps}
statmode_default off
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: a command of baresip's, a key of its console (what has no command), or to ``wait`` for an
    event type, at most ``within_s`` long."""

    command: str = ""
    params: str = ""
    key: str = ""
    wait: str = ""
    within_s: float = 30.0


def dial(uri: str) -> list[Step]:
    """Call and wait until the call is answered."""
    return [Step("dial", uri), Step(wait="CALL_REMOTE_SDP"), Step(wait="CALL_ESTABLISHED")]


def press(digits: str) -> list[Step]:
    """One key after another, three in a second, as a thumb does."""
    return [step for digit in digits for step in (Step("sndcode", digit), *listen(0.33))]


def listen(seconds: float) -> list[Step]:
    """Let the call go on for a while."""
    return [Step(wait="", within_s=seconds)]


def hold() -> list[Step]:
    """Put the call on hold and wait until the other side agreed."""
    return [Step(key="x"), Step(wait="CALL_REMOTE_SDP")]


def resume() -> list[Step]:
    """Take the call back and wait until the other side agreed."""
    return [Step(key="X"), Step(wait="CALL_REMOTE_SDP")]


def hang_up_by_peer() -> list[Step]:
    """Wait until the other side ends the call."""
    return [Step(wait="CALL_CLOSED", within_s=40)]


def hang_up() -> list[Step]:
    return [Step("hangup"), Step(wait="CALL_CLOSED")]


class Baresip:
    """One baresip with one account that answers by itself. Leaving the ``with`` block stops it."""

    def __init__(
        self,
        work: Path,
        namespace: Namespace,
        speech: Samples,
        *,
        codec: str = "g711",
        account: str = "",
        settings: str = "",
        rate_hz: int = RATE_HZ,
    ) -> None:
        """``speech`` has ``rate_hz``, which is that of ``codec``."""
        self._namespace = namespace
        self._home = work / f"baresip-{free_port()}"
        self._dumps = self._home / "dumps"
        self._dumps.mkdir(parents=True)
        # It takes the port behind its own for TLS, so that its ports are better chosen together.
        self.port = free_ports(6)
        self._control, self._keyboard = self.port + 2, self.port + 4
        rtp = free_ports(10)
        modules = next(path for path in _MODULES if path.is_dir())
        config = _CONFIG.format(
            host=namespace.address,
            port=self.port,
            control=self._control,
            keyboard=self._keyboard,
            speech=write_wav(self._home / "speech.wav", speech, rate_hz),
            rate=rate_hz,
            rtp=rtp,
            rtp_last=rtp + 9,
            modules=modules,
            codec=codec,
            dumps=self._dumps,
        )
        (self._home / "config").write_text(f"{config}{settings}\n")
        account = account or f"<sip:bare@{namespace.address}>;regint=0;answermode=auto"
        (self._home / "accounts").write_text(f"{account}\n")
        program = shutil.which("baresip")
        assert program, "baresip is missing: scripts/test installs it (Debian package baresip-core)"
        args = [program, "-f", str(self._home), "-4", "-s"]
        self.process = Process(args, self._home / "baresip.log", namespace=namespace)

    def do(self, steps: list[Step]) -> list[dict[str, str]]:
        """Carry the steps out in one control connection; returns the events that came, fails if one did not."""
        ports = [str(self._control), str(self._keyboard)]
        helper = [sys.executable, "-m", "tests.interop.baresip_control", self._namespace.address, *ports]
        limit_s = 90 + sum(step.within_s for step in steps)
        done = subprocess.run(
            self._namespace.command(helper),
            input=json.dumps([asdict(step) for step in steps]),
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
        assert done.returncode == 0, f"{done.stderr}\n{self.process.output}"
        events: list[dict[str, str]] = json.loads(done.stdout)
        return events

    def heard(self) -> Samples:
        """All that came out of its decoder."""
        return self._dump("dec")

    def spoken(self) -> Samples:
        """All that went into its encoder."""
        return self._dump("enc")

    def heard_wide(self) -> tuple[Samples, int]:
        """The same with its rate, which is what the codec has, both channels of a stereo one being equal."""
        files = self._dumped("dec")
        tracks, rates = zip(*(read_any_wav(file) for file in files), strict=True)
        return np.concatenate([track[0] for track in tracks]), rates[0]

    def _dump(self, kind: str) -> Samples:
        return np.concatenate([read_wav(file)[0] for file in self._dumped(kind)])

    def _dumped(self, kind: str) -> list[Path]:
        files = sorted(self._dumps.glob(f"*-{kind}.wav"))
        assert files, f"baresip recorded nothing:\n{self.process.output}"
        return files

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Not stop(): after SIGTERM it waits half a minute for transactions that a failed test left open.
        if self.process.running:
            self.process.kill()
