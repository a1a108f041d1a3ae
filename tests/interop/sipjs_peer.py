"""SIP.js, the stack of many browser softphones, under Node.js; its RTP is an :class:`tests.interop.rtp.RtpPeer`."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

from tests.interop.process import Process
from tests.interop.rtp import RtpPeer
from voicegw.testing.ports import free_port

_MODULES = Path(sys.prefix) / "peers" / "sipjs" / "node_modules"
_DRIVER = Path(__file__).parent / "sipjs" / "phone.mjs"
_MARGIN_S = 60.0
_POLL_S = 0.02

Step: TypeAlias = tuple[str] | tuple[str, str] | tuple[str, float]


class SipJs:
    """A phone in a page of ``origin`` that does its steps once it is connected; see ``sipjs/phone.mjs`` for them.

    ``ca`` is a file with the authority that it believes besides those of the machine.
    """

    def __init__(
        self,
        work: Path,
        server: str,
        media: RtpPeer,
        steps: Sequence[Step],
        *,
        uri: str = "sip:browser@page.invalid",
        password: str = "",
        origin: str = "https://console.test",
        subprotocol: str = "sip",
        ca: str = "",
    ) -> None:
        node = shutil.which("node")
        assert node and _MODULES.is_dir(), "SIP.js or Node.js is missing: scripts/test installs them"
        settings = {
            "server": server,
            "origin": origin,
            "subprotocol": subprotocol,
            "uri": uri,
            "password": password,
            "rtp": {"ip": "127.0.0.1", "port": media.port},
            "steps": steps,
        }
        args = [node, str(_DRIVER), str(_MODULES), json.dumps(settings)]
        env = {"NODE_EXTRA_CA_CERTS": ca} if ca else {}
        self.process = Process(args, work / f"sipjs-{free_port()}.log", env=env)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What happened so far."""
        lines = self.process.output.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def all(self, name: str) -> list[dict[str, Any]]:
        """The events of this name."""
        return [event for event in self.events if event["event"] == name]

    def wait_for(self, name: str, within_s: float = 30.0) -> dict[str, Any]:
        """The first event of this name."""
        deadline = time.monotonic() + within_s
        while not (found := self.all(name)):
            assert self.process.running and time.monotonic() < deadline, self.process.output
            time.sleep(_POLL_S)
        return found[0]

    def remote(self) -> tuple[str, int]:
        """Where the other side wants its sound, as soon as it is known."""
        description = self.wait_for("description")
        return description["ip"], description["port"]

    def passed(self) -> None:
        """Wait until it has done all of its steps."""
        assert self.process.wait(_MARGIN_S) == 0, self.process.output

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.running:
            self.process.kill()
