"""Strange, many and hostile: what comes through odd proxies, what is too much, and what gets silence."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.interop.fault_server import FaultServer
from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import seconds_with, speech_seconds, tone

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

SCANNER, SPRAYER = "127.0.0.66", "127.0.0.67"


def test_a_call_through_odd_proxies_keeps_every_header_as_it_came(tmp_path: Path) -> None:
    """Via, From, To and Call-ID go back bit for bit, and our BYE follows the route set (INTEROP rows 2, 3, 44)."""
    with Server(tmp_path, agent="goodbye") as server, RtpPeer() as media:
        values = {"rtp_port": str(media.port), "hold_ms": "15000"}
        with Sipp(tmp_path, "uac_proxied", target=server.address, values=values) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), tone(1000, 3))
            sipp.passed()
        caller, _agent = server.recording(server.call())
    assert speech_seconds(media.heard()) >= 1.5
    assert seconds_with(caller, 1000) >= 2
    invite, answer = sipp.messages[0].text, sipp.received("SIP/2.0 200", "INVITE")[0].text
    for part in (
        "branch=z9hG4bKedge",
        "SIP/2.0/TCP far.invalid:5071;branch=z9hG4bKfar;received=192.0.2.9",
        'X-odd="a;b,c"',
        f"rport={sipp.port}",
        '"Edge" <sip:edge.invalid:5061;transport=tls;lr>;hop=2',
        re.findall(r"^f: (.*)$", invite, re.MULTILINE)[0].strip(),
    ):
        assert part in answer, f"{part} is not in\n{answer}"
    bye = sipp.received("BYE")[0]
    assert bye.start_line.startswith("BYE sip:sipp@127.0.0.1:") and ";ob " in bye.start_line
    routes = re.findall(r"^Route: (.*)$", bye.text, re.MULTILINE)
    assert [";ftag=1>" in ",".join(routes), "edge.invalid" in ",".join(routes)] == [True, True]


def test_one_call_too_many_is_told_when_to_come_back(tmp_path: Path) -> None:
    """503 with Retry-After at the limit; who was there before hears nothing of it (INTEROP row 48)."""
    with Server(tmp_path, settings={"sip": {"max_calls": 1}}) as server, RtpPeer() as media:
        values = {"rtp_port": str(media.port), "hold_ms": "4000"}
        with Sipp(tmp_path, "uac", target=server.address, values=values) as first:
            media.start(("127.0.0.1", first.answered_port()), tone(1000, 3))
            body = "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 4000 RTP/AVP 0"
            late = {"headers": "", "body": body, "content_type": "application/sdp", "max_forwards": "70"}
            with Sipp(tmp_path, "refused_invite", target=server.address, values=late | {"status": "503"}) as second:
                second.passed()
            assert second.received("SIP/2.0 503")[0].header("Retry-After") == "10"
            first.passed()
        with Sipp(tmp_path, "-sn uac", target=server.address) as third:
            third.passed()
        first_log, refused, _third = server.calls(3)
    assert refused.cause == "overloaded"
    caller, _agent = server.recording(first_log)
    assert seconds_with(caller, 1000) >= 2
    assert speech_seconds(media.heard()) >= 1


@contextmanager
def stranger(host: str) -> Iterator[socket.socket]:
    """A socket of somebody whom nobody knows."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.bind((host, 0))
        endpoint.settimeout(1.0)
        yield endpoint


def ask(endpoint: socket.socket, server: FaultServer, method: str, number: int, agent: str = "Honest") -> str:
    """Send one request; the first line of its answer, "" for silence."""
    host, port = endpoint.getsockname()
    lines = [
        f"{method} sip:{number}@{server.host} SIP/2.0",
        f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{number}",
        f"From: <sip:{number}@{host}>;tag={number}",
        f"To: <sip:{number}@{server.host}>",
        f"Call-ID: {number}@{host}",
        f"CSeq: 1 {method}",
        "Max-Forwards: 70",
        f"User-Agent: {agent}",
        "Content-Length: 0",
    ]
    endpoint.sendto("\r\n".join([*lines, "", ""]).encode(), (server.host, server.port))
    try:
        return endpoint.recv(4096).decode().partition("\r\n")[0]
    except TimeoutError:
        return ""


def test_scanners_get_silence_while_a_call_talks(tmp_path: Path) -> None:
    guarded = {"sip": {"guard": {"trusted": ["127.0.0.1/32"], "refusals": 5}}}
    with FaultServer(tmp_path, settings=guarded) as server, server.phone() as phone:
        assert phone.dial() == 200
        with stranger(SCANNER) as scanner:
            assert ask(scanner, server, "OPTIONS", 1).startswith("SIP/2.0 200"), "an honest one is answered"
            assert ask(scanner, server, "OPTIONS", 2, "friendly-scanner") == ""
            assert ask(scanner, server, "OPTIONS", 3) == "", "and by another name it is still the same"
        with stranger(SPRAYER) as sprayer:
            answers = [ask(sprayer, server, "REGISTER", number)[:11] for number in range(10, 18)]
            assert answers[0].startswith("SIP/2.0 4")
            assert answers[-1] == ""
        since = phone.mark()
        phone.play(tone(1000, 1))
        phone.press("159")
        server.wait_facts(phone, "CallerSpoke")
        phone.wait_heard(lambda samples: speech_seconds(samples) >= 1, 30, since)
        ignored = {line["source"] for line in server.logged("a SIP source is ignored")}
        assert ignored == {SCANNER, SPRAYER}
        phone.hang_up()
        assert server.wait_ended(phone).keys == "159"


def test_svmap_finds_nobody(tmp_path: Path) -> None:
    """The scanner that most others are made of; from a trusted address it would find us, and does."""
    with FaultServer(tmp_path, settings={"sip": {"guard": {"trusted": ["127.0.0.1/32"]}}}) as server:
        for address, found in (("127.0.0.1", True), (SCANNER, False)):
            line = ["svmap", "-p", str(server.port), "-b", address, "127.0.0.1"]
            done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
            assert (f"127.0.0.1:{server.port}" in done.stdout) is found, done.stdout + done.stderr
        server.wait_logged("a SIP source is ignored")
