"""Asterisk as a peer, with the configuration of ``asterisk/``: what we tell engineers to use is what runs."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.interop.process import Peer, Process, descendants
from tests.interop.sound import Samples, read_wav
from voicegw.testing.ports import free_port, free_ports

SHIPPED: Final = Path(__file__).parents[2] / "asterisk"
_PROGRAM: Final = Path(os.environ.get("ASTERISK_PEER", Path(sys.prefix) / "peers" / "asterisk")) / "asterisk"
"""``ASTERISK_PEER`` names the folder of another version that ``scripts/asterisk-peer`` has unpacked."""
_OURS: Final = Path(__file__).parent / "asterisk"
_START_S: Final = 30.0
_POLL_S: Final = 0.05
_RTP_PORTS: Final = 40
_FOLDERS: Final = ("etc", "run", "log", "spool", "lib")


class Asterisk(Peer):
    """Entering waits until it has fully booted. ``voicegw`` is HOST:PORT of the server beside it.

    ``audiosocket`` is HOST:PORT where that takes connections. Its own files are in ``tests/interop/asterisk``;
    those that ship are changed in their addresses only, as their first lines say. ``dialplan`` goes on with the
    context of what voicegw may call.
    """

    def __init__(
        self,
        work: Path,
        voicegw: str,
        audiosocket: str = "127.0.0.1:9",
        *,
        with_passwords: bool = False,
        dialplan: str = "",
    ) -> None:
        assert _PROGRAM.exists(), "Asterisk is missing: scripts/test puts it there"
        self.port = free_port()
        self.home = work / "asterisk"
        for folder in _FOLDERS:
            (self.home / folder).mkdir(parents=True)
        self._write(voicegw, audiosocket)
        with (self.home / "etc" / "extensions.conf").open("a") as file:
            file.write(f"\n[from-voicegw](+)\n{dialplan}")
        if with_passwords:
            self._keep_the_trunk_with_passwords()

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    def trunk(self, name: str) -> str:
        """The text of a trunk of ``asterisk/voicegw``, for this Asterisk."""
        text = (SHIPPED / "voicegw" / "trunks" / f"{name}.yaml").read_text()
        return text.replace("192.0.2.20", "127.0.0.1").replace("port: 5060", f"port: {self.port}")

    def command(self, line: str) -> str:
        """The answer of its console."""
        args = [str(_PROGRAM), "-C", str(self.home / "etc" / "asterisk.conf"), "-rx", line]
        with Process(args, self.home / "console.log") as console:
            console.wait(_START_S)
            return console.output

    def wait_for(self, line: str, pattern: str, within_s: float = 30.0) -> str:
        """Ask the console until its answer has ``pattern``."""
        deadline = time.monotonic() + within_s
        while not re.search(pattern, answer := self.command(line)):
            assert self.process.running and time.monotonic() < deadline, f"{line}: {answer}\n{self.process.output}"
            time.sleep(_POLL_S)
        return answer

    def wait_for_trunk(self, name: str, within_s: float = 30.0) -> None:
        """Until it knows that voicegw is there, which may have come up after it was looked for."""
        deadline = time.monotonic() + within_s
        while "Not in use" not in (found := self.command(f"pjsip show endpoint {name}")):
            assert self.process.running and time.monotonic() < deadline, f"{found}\n{self.process.output}"
            self.command(f"pjsip qualify {name}")
            time.sleep(_POLL_S)

    def heard(self, within_s: float = 40.0) -> Samples:
        """What the caller of the context ``kept`` heard, once that call is over."""
        deadline = time.monotonic() + within_s
        while "End MixMonitor Recording" not in self.process.output:
            assert self.process.running and time.monotonic() < deadline, self.process.output
            time.sleep(_POLL_S)
        return read_wav(self.home / "heard.wav")[0]

    def _write(self, voicegw: str, audiosocket: str) -> None:
        etc = self.home / "etc"
        values = {
            "@home@": str(self.home),
            "@program@": str(_PROGRAM.parent),
            "@port@": str(self.port),
            "@rtp_low@": str(low := free_ports(_RTP_PORTS)),
            "@rtp_high@": str(low + _RTP_PORTS - 1),
        }
        for source in _OURS.glob("*.conf"):
            (etc / source.name).write_text(_replaced(source.read_text(), values))
        shipped = {"192.0.2.30:9019": audiosocket, "192.0.2.30:5060": voicegw, "192.0.2.30": voicegw.split(":")[0]}
        (etc / "voicegw").mkdir()
        for source in SHIPPED.glob("*.conf"):
            (etc / "voicegw" / source.name).write_text(_replaced(source.read_text(), shipped))

    def _keep_the_trunk_with_passwords(self) -> None:
        """As a reader does it who needs the second trunk only."""
        folder = self.home / "etc" / "voicegw"
        text = (folder / "pjsip_voicegw.conf").read_text()
        sections = re.split(r"^(?=\[)", text, flags=re.MULTILINE)
        kept = [section for section in sections if not section.startswith(("[voicegw]\n", "[voicegw]("))]
        (folder / "pjsip_voicegw.conf").write_text("".join(kept))
        plan = folder / "extensions_voicegw.conf"
        plan.write_text(plan.read_text().replace("Return(voicegw)", "Return(voicegw-auth)"))

    def __enter__(self) -> Self:
        args = [str(_PROGRAM), "-f", "-vvv", "-C", str(self.home / "etc" / "asterisk.conf")]
        self.process = Process(args, self.home / "asterisk.log", cwd=self.home)
        self.wait_for("core waitfullybooted", "fully booted", _START_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        helpers = descendants(self.process.pid)
        super().__exit__(kind, error, trace)
        assert helpers == [], f"asterisk had processes of its own: {helpers}"


def _replaced(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(name, value)
    return text
