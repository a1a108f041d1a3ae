"""A call at collectors that we did not write: sngrep takes its signalling apart, and tcpdump reads what that kept;
Kamailio's sipcapture has signalling and reports on the audio, behind the TLS of openssl."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.interop.fault_server import FaultServer
from tests.interop.hep_collector import HepCollector
from tests.interop.process import Process
from tests.interop.rtp import RtpPeer
from tests.interop.sipp_peer import TOLD, Sipp
from tests.interop.sound import speech_seconds, tone
from voicegw.cli.main import main
from voicegw.rtp.rtcp import ReportBlock, SenderReport, build_compound
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


def test_kamailio_has_the_call_and_its_audio(tmp_path: Path) -> None:
    """Signalling, reports both ways and the summary, with addresses and Call-ID as sipcapture stored them."""
    authority = Authority(tmp_path / "authority")
    homer = HepCollector(tmp_path, *authority.issue("homer", "homer.test"))
    hep = {"to": f"127.0.0.1:{homer.port}", "transport": "tls", "capture_id": 77, "server_name": "homer.test"}
    observability = {"hep": hep | {"tls": {"ca": authority.ca}}}
    settings = {"observability": observability, "media": {"rtcp_interval_ms": 400}}
    server = FaultServer(tmp_path, settings=settings)
    with homer, server, RtpPeer() as media, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reporter:
        reporter.bind(("127.0.0.1", 0))
        reports_from = reporter.getsockname()[1]
        values = {"rtp_port": str(media.port), "hold_ms": TOLD}
        with Sipp(tmp_path, "uac", target=server.address, values=values) as sipp:
            port = sipp.answered_port()
            media.start(("127.0.0.1", port), tone(1000, 20))
            call_id = sipp.wait_for("SIP/2.0 200").header("Call-ID")
            server.wait(lambda: len(media.packets) > 5, 30, "our audio")
            ssrc = int.from_bytes(media.packets[0][8:12], "big")
            block = ReportBlock(ssrc, 0, 0, 100, 12)
            report = build_compound([SenderReport(4711, 0xE000_0000_8000_0000, 160, 50, 8000, (block,))])
            reporter.sendto(report, ("127.0.0.1", port + 1))
            media.wait_heard(lambda heard: speech_seconds(heard) >= 1.5)
            server.wait(lambda: len(media.packets) >= 100, 30, "a report on more than 50 of them")
            sipp.tell()
            sipp.passed()
        server.wait(lambda: b'"TOTAL_PK"' in b"".join(homer.packets), 30, "the summary")
        server.wait(lambda: homer.has_stored("200 to BYE", call_id), 30, "all of the signalling")
    assert server.counters.get("hep_packets_dropped", 0) == 0
    _has_signalling(homer.rows("sip_capture", call_id), (server.port, sipp.port))
    rows = homer.rows("rtcp_capture", call_id)
    came = [json.loads(row["msg"]) for row in rows if int(row["source_port"]) == reports_from]
    assert came[0]["sender_information"]["octets"] == 8000
    assert (came[0]["ssrc"], came[0]["report_blocks"][0]["ia_jitter"]) == (4711, 12)
    went = [json.loads(row["msg"]) for row in rows if int(row["source_port"]) == port + 1]
    assert max(one["sender_information"]["packets"] for one in went if one["type"] == 200) >= 50


def _has_signalling(rows: list[dict[str, str]], ports: tuple[int, int]) -> None:
    """``ports``: the server's, and sipp's."""
    ours, theirs = map(str, ports)
    seen = {(row["method"], row["source_port"], row["destination_port"]) for row in rows}
    assert seen >= {("INVITE", theirs, ours), ("200", ours, theirs), ("ACK", theirs, ours), ("BYE", theirs, ours)}
    assert {row["callid"] for row in rows} == {row["correlation_id"] for row in rows}
    assert {(row["source_ip"], row["destination_ip"]) for row in rows} == {("127.0.0.1", "127.0.0.1")}
    assert {row["node"].rpartition(":")[2] for row in rows} == {"77"}


def _ladder_is_a_capture_as_well(server: FaultServer, capture: Path, call_id: str) -> None:
    """The same messages from the record of the call, taken apart by tcpdump: checksums are right."""
    (log,) = server.ended()
    call = log.one("CallWasOffered")["call_id"]
    assert main(["store", "ladder", call, "-c", str(server.configuration), "--pcap", str(capture)]) == 0
    read = subprocess.run(["tcpdump", "-A", "-n", "-v", "-r", str(capture)], capture_output=True, text=True).stdout
    assert "bad" not in read.replace("bad udp cksum 0x0000", "") and read.count("proto UDP (17)") >= 7
    assert read.count(f"Call-ID: {call_id}") >= 7
    assert f"127.0.0.1.{server.port} > " in read and "BYE sip:" in read
