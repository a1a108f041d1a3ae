"""Our own softphone (``voicegw call``) calls peers: the calling side of the stack against programs of others."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from tests.interop.baresip_peer import Baresip
from tests.interop.namespace import Namespace
from tests.interop.ports import free_udp_port, free_udp_range
from tests.interop.process import Process
from tests.interop.pyvoip_peer import PyVoip
from tests.interop.sound import Samples, read_wav, seconds_with, tone, write_wav

pytestmark = [pytest.mark.interop, pytest.mark.realtime]


class Softphone:
    """``voicegw call`` playing a tone of 1000 Hz for four seconds; what it records is caller left, callee right."""

    def __init__(self, work: Path, host: str) -> None:
        self.host, self.port = host, free_udp_port()
        self._work = work
        first = free_udp_range(8)
        config = {
            "sip": {"listen_ip": host, "listen_port": self.port},
            "media": {"port_low": first, "port_high": first + 7},
        }
        (work / "phone.yaml").write_text(yaml.safe_dump(config))
        write_wav(work / "tone.wav", tone(1000, 4))

    def call(self, uri: str, namespace: Namespace | None = None) -> Process:
        args = [str(Path(sys.prefix) / "bin" / "voicegw"), "call", uri, "--config", str(self._work / "phone.yaml")]
        args += ["--wav", str(self._work / "tone.wav"), "--record", str(self._work / "call.wav"), "--no-transcript"]
        return Process(args, self._work / "phone.log", namespace=namespace, cwd=self._work)

    def recorded(self) -> list[Samples]:
        return read_wav(self._work / "call.wav")


def test_softphone_calls_baresip(tmp_path: Path, namespace: Namespace) -> None:
    phone = Softphone(tmp_path, namespace.address)
    with Baresip(tmp_path, namespace, tone(700, 6)) as baresip:
        baresip.do([])
        with phone.call(f"sip:bare@{namespace.address}:{baresip.port}", namespace) as call:
            assert call.wait(30) == 0, call.output
    ours, theirs = phone.recorded()
    assert seconds_with(baresip.heard(), 1000) >= 3
    assert seconds_with(ours, 1000) >= 3
    assert seconds_with(theirs, 700) >= 3


def test_softphone_calls_pyvoip(tmp_path: Path) -> None:
    phone = Softphone(tmp_path, "127.0.0.1")
    with PyVoip(tmp_path, "answer", (phone.host, phone.port), tone(700, 6), seconds=8) as pyvoip:
        pyvoip.ready()
        with phone.call(f"sip:pyvoip@127.0.0.1:{pyvoip.port}") as call:
            assert call.wait(30) == 0, call.output
        assert pyvoip.result()["answered"]
    ours, theirs = phone.recorded()
    assert seconds_with(pyvoip.heard(), 1000) >= 3
    assert seconds_with(ours, 1000) >= 3
    assert seconds_with(theirs, 700) >= 3
