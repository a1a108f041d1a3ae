"""Captures of real calls, ordered by the API and by a command, read by tcpdump: SIP, and the sound both ways."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.interop.api_desk import ApiDesk
from tests.interop.commands import Shell
from tests.interop.fault_server import FaultServer
from tests.interop.rtp import RtpPeer
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import Samples, seconds_with, speech_seconds, tone, ulaw_decode
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

TONE_HZ = 1000
_LINE = re.compile(r"^(\d+\.\d+) IP (\S+)\.(\d+) > (\S+)\.(\d+): ")
_RTP_AT = 28
"""Behind the headers of IP and UDP."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FaultServer, ApiDesk]]:
    """A server, and who may order captures of its calls."""
    port = free_port()
    api = {"enabled": True, "listen_port": port, "key_file": "secrets.key"}
    server = FaultServer(tmp_path_factory.mktemp("house"), settings={"api": api})
    with server, ApiDesk(server, None, f"http://127.0.0.1:{port}") as desk:
        yield server, desk


def test_what_was_said_is_in_the_capture(house: tuple[FaultServer, ApiDesk], tmp_path: Path) -> None:
    server, desk = house
    desk.post("/v1/captures", {"number": "demo"}, 201)
    with server.phone() as phone:
        assert phone.dial() == 200
        server.wait_facts(phone, "CaptureHasStarted")
        phone.play(tone(TONE_HZ, 2.0))
        phone.wait_played()
        server.wait_facts(phone, "AgentSpoke")
        phone.press("5")
        server.wait_facts(phone, "KeyWasPressed")
        phone.hang_up()
        log = server.wait_ended(phone)
    call_id = log.one("CallWasOffered")["call_id"]
    bearer = {"Authorization": f"Bearer {desk.token}"}
    got = httpx.get(f"{desk.url}/v1/calls/{call_id}/capture", headers=bearer, timeout=30)
    ended = log.one("CaptureHasEnded")
    assert got.status_code == 200 and len(got.content) == ended["size"] and ended["dropped"] == 0
    capture = tmp_path / "call.pcap"
    capture.write_bytes(got.content)
    packets = list(_read(capture))
    assert len(packets) == ended["packets"]
    assert [at for at, *_ in packets] == sorted(at for at, *_ in packets)
    _is_signalling(capture)
    said = _sound(packets, to_server=True, sip=server.port)
    heard = _sound(packets, to_server=False, sip=server.port)
    assert seconds_with(said, TONE_HZ) > 1.8, "as the phone has sent it"
    assert speech_seconds(heard) > 0.5, "and as the agent has spoken"
    keys = [data for *_, data in packets if len(data) > _RTP_AT + 1 and data[_RTP_AT + 1] & 0x7F == 101]
    assert keys and {len(data) - _RTP_AT for data in keys} == {12}, "which key it was is not told"


def test_a_command_captures_a_call_of_sipp_that_is_under_way(
    house: tuple[FaultServer, ApiDesk], tmp_path: Path
) -> None:
    server, desk = house
    out = tmp_path / "call.pcap"
    shell = Shell(server, desk, tmp_path, "calls:read", "calls:capture", "recordings")
    values = {"hold_ms": "80000"}
    with RtpPeer() as media, ExitStack() as stack:
        values["rtp_port"] = str(media.port)
        peer = Sipp(tmp_path, "uac_hung_up", target=server.address, values=values, timeout_s=90)
        sipp = stack.enter_context(peer)
        media.start(("127.0.0.1", sipp.answered_port()), tone(TONE_HZ, 90.0))
        call_id = desk.wait_call()
        command = stack.enter_context(shell.begin("calls", "capture", call_id, "--out", str(out)))
        server.wait(lambda: "capturing" in command.output, 30, "the command says that it captures")
        since = len(media.packets)
        server.wait(lambda: len(media.packets) > since + 100, 30, "two seconds were captured")
        desk.post(f"/v1/live/calls/{call_id}/end")
        sipp.passed()
        assert command.wait(30) == 0, command.output
        assert f"{out}: {out.stat().st_size} bytes" in command.output
    _is_signalling(out)
    packets = list(_read(out))
    said = _sound(packets, to_server=True, sip=server.port)
    assert seconds_with(said, TONE_HZ) > 1.5
    assert len(_sound(packets, to_server=False, sip=server.port)) > 12_000, "and 1.5 s of what was sent"


def _is_signalling(capture: Path) -> None:
    text = subprocess.run(["tcpdump", "-A", "-n", "-r", str(capture)], capture_output=True, text=True).stdout
    for message in ("INVITE sip:", "SIP/2.0 100", "SIP/2.0 180", "SIP/2.0 200", "ACK sip:", "BYE sip:"):
        assert message in text
    assert text.rindex("SIP/2.0 200") > text.index("BYE sip:"), "the answer to the BYE is the last of it"


def _read(capture: Path) -> Iterator[tuple[float, str, int, int, bytes]]:
    """Time, sender, both ports, and the packet from its IP header on, as tcpdump takes them apart."""
    command = ["tcpdump", "-x", "-n", "-tt", "-r", str(capture)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    head: re.Match[str] | None = None
    octets: list[str] = []
    for line in [*shown.splitlines(), "0.0 IP 0.1 > 0.1: "]:
        if line.startswith("\t"):
            octets += line.partition(":")[2].split()
            continue
        if head is not None:
            at, sender, source, _, target = head.groups()
            yield float(at), sender, int(source), int(target), bytes.fromhex("".join(octets))
        head, octets = _LINE.match(line), []


def _sound(packets: list[tuple[float, str, int, int, bytes]], *, to_server: bool, sip: int) -> Samples:
    """PCMU of the stream one way, in the order of the packets; RTP ports of the server are even."""
    streams: dict[tuple[int, int], list[bytes]] = {}
    for _, _, source, target, data in packets:
        if sip not in (source, target) and len(data) == _RTP_AT + 172 and data[_RTP_AT + 1] & 0x7F == 0:
            streams.setdefault((source, target), []).append(data[_RTP_AT + 12 :])
    assert len(streams) == 2, "one stream each way"
    (one, other) = sorted(streams, key=lambda ports: _has_tone(streams[ports]), reverse=True)
    return ulaw_decode(b"".join(streams[one if to_server else other]))


def _has_tone(payloads: list[bytes]) -> float:
    spectrum = np.abs(np.fft.rfft(ulaw_decode(b"".join(payloads)).astype(np.float64)))
    hz = np.fft.rfftfreq(sum(map(len, payloads)), 1 / 8000)
    return float(spectrum[np.abs(hz - TONE_HZ) < 5].max(initial=0.0))
