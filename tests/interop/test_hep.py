"""A call's signalling at a collector that we did not write: sngrep takes it apart, tcpdump reads what it kept."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.interop.fault_server import FaultServer
from tests.interop.process import Process
from voicegw.cli.main import main
from voicegw.testing.ports import free_port, is_bound

pytestmark = [pytest.mark.interop, pytest.mark.realtime]


def test_sngrep_sees_the_call(tmp_path: Path) -> None:
    port, kept = free_port(), tmp_path / "hep.pcap"
    hep = {"hep": {"to": f"127.0.0.1:{port}", "capture_id": 77, "password": "homer"}}
    args = ["sngrep", "-F", "-N", "-q", "-L", f"udp:127.0.0.1:{port}", "-O", str(kept)]
    ladder = {"ladder": {"full_text": True}}
    server = FaultServer(tmp_path, settings={"observability": hep, "sip": ladder})
    with Process(args, tmp_path / "sngrep.log", env={"TERM": "dumb"}) as sngrep, server:
        server.wait(lambda: is_bound(port), 30, f"sngrep listens: {sngrep.output}")
        with server.phone() as phone:
            assert phone.dial() == 200
            server.wait_facts(phone, "AgentSpoke")
            assert phone.heard().any()
            phone.hang_up()
            server.wait_ended(phone)
            call_id = phone.call_id

            def seen() -> str:
                read = subprocess.run(["tcpdump", "-A", "-n", "-r", str(kept)], capture_output=True, text=True)
                return read.stdout

            server.wait(lambda: "BYE" in seen() and seen().count(call_id) >= 7, 30, f"the call: {seen()}")
    text = seen()
    for message in ("INVITE sip:", "SIP/2.0 100", "SIP/2.0 180", "SIP/2.0 200", "ACK sip:", "BYE sip:"):
        assert message in text
    assert f".{server.port} > 127.0.0.1." in text and f" > 127.0.0.1.{server.port}:" in text
    assert server.counters.get("hep_packets_dropped", 0) == 0
    _ladder_is_a_capture_as_well(server, tmp_path / "call.pcap", call_id)


def _ladder_is_a_capture_as_well(server: FaultServer, capture: Path, call_id: str) -> None:
    """The same messages from the record of the call, taken apart by tcpdump: checksums are right."""
    (log,) = server.ended()
    call = log.one("CallWasOffered")["call_id"]
    assert main(["store", "ladder", call, "-c", str(server.configuration), "--pcap", str(capture)]) == 0
    read = subprocess.run(["tcpdump", "-A", "-n", "-v", "-r", str(capture)], capture_output=True, text=True).stdout
    assert "bad" not in read.replace("bad udp cksum 0x0000", "") and read.count("proto UDP (17)") >= 7
    assert read.count(f"Call-ID: {call_id}") >= 7
    assert f"127.0.0.1.{server.port} > " in read and "BYE sip:" in read
