"""Strange, many and hostile: what comes through odd proxies, what is too much, and what gets silence."""

from __future__ import annotations

import re
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.interop import scanner
from tests.interop.api_desk import ApiDesk
from tests.interop.commands import Shell
from tests.interop.fault_server import FaultServer
from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sipp_peer import TOLD, Sipp
from tests.interop.sound import seconds_with, speech_seconds, tone
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

HEALTH = Path(__file__).parents[2] / "docker" / "healthcheck.py"
PATIENCE_S = 30.0
SCANNER, SPRAYER, NUISANCE, DENIED = "127.0.0.66", "127.0.0.67", "127.0.0.68", "127.0.0.69"


def test_a_call_through_odd_proxies_keeps_every_header_as_it_came(tmp_path: Path) -> None:
    """Via, From, To and Call-ID go back bit for bit, and our BYE follows the route set (INTEROP rows 2, 3, 44)."""
    with Server(tmp_path, agent="goodbye") as server, RtpPeer() as media:
        values = {"rtp_port": str(media.port), "hold_ms": "50000"}
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


def test_who_is_too_much_is_told_when_to_come_back_and_who_is_denied_nothing(tmp_path: Path) -> None:
    """503 at the limit of calls, 480 at that of a number's calls in a minute, both with Retry-After (INTEROP row
    48); silence for an address that a listener denies. Who was there before hears nothing of it."""
    port, limits = free_port(), {"calls_per_minute_to_number": 2}
    listener = {"transport": "udp", "ip": "127.0.0.1", "port": port, "deny": [f"{DENIED}/32"]}
    sip = {"max_calls": 1, "listen_port": port, "listeners": [listener]}
    server = FaultServer(tmp_path, settings={"sip": sip, "limits": limits}, port=port)
    body = "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 4000 RTP/AVP 0"
    late = {"headers": "", "body": body, "content_type": "application/sdp", "max_forwards": "70"}
    with ExitStack() as stack:
        stack.enter_context(server)
        media = stack.enter_context(RtpPeer())

        def call(scenario: str, more: dict[str, str], service: str = "demo", host: str = "127.0.0.1") -> Sipp:
            values = late | {"rtp_port": str(media.port), "hold_ms": "4000"} | more
            sipp = Sipp(tmp_path, scenario, target=server.address, values=values, service=service, host=host)
            return stack.enter_context(sipp)

        denied = call("refused_invite", {"status": "403"}, host=DENIED)
        first = call("uac", {"hold_ms": TOLD})
        media.start(("127.0.0.1", first.answered_port()), tone(1000, 3))
        second = call("refused_invite", {"status": "503"}, "another")
        second.passed()
        server.wait_recorded(lambda caller, _agent: seconds_with(caller, 1000) >= 2)
        media.wait_heard(lambda heard: speech_seconds(heard) >= 1)
        first.tell()
        first.passed()
        third = call("-sn uac", {})
        third.passed()
        fourth = call("refused_invite", {"status": "480"})
        fourth.passed()
        call("-sn uac", {}, "another").passed()
        denied.started(3)
        assert [seen.start_line for seen in denied.messages if not seen.sent] == []
        logs = server.calls(5)
    assert second.received("SIP/2.0 503")[0].header("Retry-After") == "10"
    assert fourth.received("SIP/2.0 480")[0].header("Retry-After") == "60"
    causes = ["caller_hangup", "overloaded", "caller_hangup", "number_rate", "caller_hangup"]
    assert [log.cause for log in logs] == causes
    assert server.counters["sip_guard_dropped_denied"] >= 3
    caller, _agent = server.recording(logs[0])
    assert seconds_with(caller, 1000) >= 2
    assert speech_seconds(media.heard()) >= 1


@contextmanager
def stranger(host: str) -> Iterator[socket.socket]:
    """A socket of somebody whom nobody knows."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
        endpoint.bind((host, 0))
        yield endpoint


def ask(
    endpoint: socket.socket,
    server: FaultServer,
    method: str,
    number: int,
    agent: str = "Honest",
    *,
    patience_s: float = 1.0,
) -> str:
    """Send one request; the first line of the answer to it, "" for silence of so long."""
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
    while select.select([endpoint], [], [], patience_s)[0]:
        answer = endpoint.recv(4096).decode()
        if f"Call-ID: {number}@{host}" in answer:
            return answer.partition("\r\n")[0]
    return ""


def test_scanners_get_silence_while_a_call_talks(tmp_path: Path) -> None:
    """And ``voicegw bans`` shows them, and lifts and makes bans."""
    guarded = {"guard": {"trusted": ["127.0.0.1/32"], "refusals": 5}}
    port = free_port()
    api = {"enabled": True, "listen_port": port, "key_file": "secrets.key"}
    server = FaultServer(tmp_path, settings={"sip": guarded, "api": api})
    with server, ApiDesk(server, None, f"http://127.0.0.1:{port}") as desk, server.phone() as phone:
        assert phone.dial() == 200
        with stranger(SCANNER) as scanner:
            honest = ask(scanner, server, "OPTIONS", 1, patience_s=PATIENCE_S)
            assert honest.startswith("SIP/2.0 200"), "an honest one is answered"
            assert ask(scanner, server, "OPTIONS", 2, "friendly-scanner") == ""
            assert ask(scanner, server, "OPTIONS", 3) == "", "and by another name it is still the same"
        with stranger(SPRAYER) as sprayer:
            assert ask(sprayer, server, "REGISTER", 10, patience_s=PATIENCE_S).startswith("SIP/2.0 4")
            answers = [ask(sprayer, server, "REGISTER", number) for number in range(11, 18)]
            assert answers[-1] == ""
        since = phone.mark()
        phone.play(tone(1000, 1))
        phone.press("159")
        server.wait_facts(phone, "CallerSpoke")
        phone.wait_heard(lambda samples: speech_seconds(samples) >= 1, 30, since)
        ignored = {line["source"] for line in server.logged("a SIP source is ignored")}
        assert ignored == {SCANNER, SPRAYER}
        _bans_by_command(server, Shell(server, desk, tmp_path, "config:read", "trunks"))
        phone.hang_up()
        assert server.wait_ended(phone).keys == "159"


def test_strangers_get_silence_and_this_machines_own_look_an_answer(tmp_path: Path) -> None:
    """With ``strangers: silent``. The image's health check, and Kubernetes', ask by OPTIONS whether we live."""
    sip = {"strangers": "silent", "guard": {"trusted": ["127.0.0.1/32"]}}
    with FaultServer(tmp_path, settings={"sip": sip}) as server:
        place = (server.host, str(server.port))
        command = [sys.executable, "-I", "-S", str(HEALTH), *place]
        assert subprocess.run(command, timeout=60, check=False).returncode == 0
        ping = subprocess.run(["sipsak", "-s", f"sip:demo@{server.address}"], timeout=60, check=False)
        assert ping.returncode == 0, "and so does any program here"
        asks = [sys.executable, str(scanner.__file__), NUISANCE, "phone", "127.0.0.1", *place]
        assert subprocess.run(asks, capture_output=True, text=True, timeout=60).stdout == "silence\n"


def _bans_by_command(server: FaultServer, shell: Shell) -> None:
    def banned() -> dict[str, str]:
        """Why each address is ignored."""
        rows = [line.split(maxsplit=3) for line in shell.run("bans").splitlines()]
        assert all(0 < int(seconds) <= 600 and unit == "s" for _, seconds, unit, _ in rows)
        return {host: reason for host, *_, reason in rows}

    before = banned()
    assert set(before) == {SCANNER, SPRAYER} and before[SCANNER] == "it names a scanner in User-Agent"
    shell.run("bans", "--lift", SCANNER)
    shell.run("bans", "--add", NUISANCE, "--seconds", "600")
    assert set(banned()) == {SPRAYER, NUISANCE}
    with stranger(SCANNER) as pardoned, stranger(NUISANCE) as nuisance:
        assert ask(pardoned, server, "OPTIONS", 20, patience_s=PATIENCE_S).startswith("SIP/2.0 200")
        assert ask(nuisance, server, "OPTIONS", 21) == ""
