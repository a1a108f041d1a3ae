"""``voicegw trunk test`` at carriers that are right, and at carriers that are wrong in every way that happens."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.interop.carrier import carrier, refuses, takes
from tests.interop.front import Front
from tests.interop.kamailio_peer import Kamailio
from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sip_node import until
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import tone
from voicegw.cli.trunk_call import TrunkTest
from voicegw.config import Config
from voicegw.gateway.config import SipConfig
from voicegw.gateway.trunk_advice import Finding, Grade
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.media.config import MediaConfig
from voicegw.testing.ports import free_port, free_ports

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

SECONDS = 4.0


def test(
    trunk: Trunk, number: str = "", *, advertised_ip: str = "", seconds: float = SECONDS
) -> dict[str, Finding]:
    """The findings of a test by their code; of those that are in order by their step."""
    low = free_ports(20)
    config = Config(
        sip=SipConfig(listen_ip="127.0.0.1", advertised_ip=advertised_ip),
        media=MediaConfig(port_low=low, port_high=low + 19),
    )
    findings: list[Finding] = []
    asyncio.run(TrunkTest(config, trunk, findings.append).run(number, seconds))
    return {one.step if one.grade is Grade.OK else one.code: one for one in findings}


test.__test__ = False  # type: ignore[attr-defined]


def trunk(port: int, **settings: Any) -> Trunk:
    """A carrier on this machine, known by its address."""
    given = {"hosts": ["127.0.0.1"], "port": port, "carries": ["*"], "health": {"options_s": 0}}
    return Trunk("carrier", TrunkSettings.model_validate(given | settings), "secret")


def account(core: Kamailio, **settings: Any) -> Trunk:
    """An account at Kamailio, whose everybody's password is ``secret``."""
    own = {"domain": "carrier.test", "username": "us", "register_there": True}
    place = {"registration": {"registrar": f"sip:{core.address}"}}
    return trunk(core.port, **(own | place | settings))


def test_a_good_trunk_and_nothing_of_the_running_server_is_touched(tmp_path: Path) -> None:
    """The command beside a server that is registered there: the server stays it, and is called afterwards."""
    echo = free_port()
    os.environ["CARRIER_PASSWORD"] = "secret"
    with Kamailio(tmp_path, "core", echo=f"127.0.0.1:{echo}", expires="60") as core:
        server = Server(tmp_path, settings={"api": {"enabled": False}})
        server.write_trunk(
            "carrier",
            hosts=["127.0.0.1"],
            port=core.port,
            domain="carrier.test",
            username="us",
            password_env="CARRIER_PASSWORD",
            register_there=True,
            registration={"registrar": f"sip:{core.address}"},
            carries=["echo"],
            test_number="echo",
        )
        with server:
            asyncio.run(until(lambda: '"registered"' in server.process.output))
            with Sipp(tmp_path, "uas_routed", port=echo, extra=("-rtp_echo",)) as answering:
                done = command(server.configuration, "test", "carrier", "--seconds", "4")
                assert done.returncode == 0, done.stdout + done.stderr
                answering.passed()
            found = json.loads(done.stdout)
            steps = {one["step"]: one for one in found["findings"]}
            assert (done.returncode, found["ok"]) == (0, True), done.stdout + done.stderr
            assert f"sip:us@127.0.0.1:{server.port}" in steps["register"]["text"]
            assert int(steps["audio in"]["text"].split()[0]) > 30
            with RtpPeer() as far:
                far.start(("127.0.0.1", 9), tone(1000, 1))
                values = {"rtp_port": str(far.port), "hold_ms": "300"}
                with Sipp(tmp_path, "uac", target=core.address, service="us", values=values) as caller:
                    caller.passed()


def command(configuration: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``voicegw trunk …`` as people do."""
    line = [sys.executable, "-m", "voicegw", "trunk", *arguments, "--json", "-c", str(configuration)]
    return subprocess.run(line, capture_output=True, text=True, timeout=90, check=False)


def test_a_registration_of_the_test_is_taken_back(tmp_path: Path) -> None:
    with Kamailio(tmp_path, "core", echo="127.0.0.1:9", expires="60") as core:
        found = test(account(core))
        assert "Contact of the test" in found["register"].text
        again = test(account(core))
        assert "Contact of the test" in again["register"].text, "the first one is not there any more"
        assert found["no_number"].grade is Grade.WARN


def test_credentials(tmp_path: Path) -> None:
    with Kamailio(tmp_path, "core", echo="127.0.0.1:9", expires="60") as core:
        wrong = test(replace(account(core), password="other"))["wrong_password"]
        assert (wrong.grade, "carrier.test" in wrong.fix, "'us'" in wrong.fix) == (Grade.FAIL, True, True)
        assert "password_env" in test(replace(account(core), password=""))["password_missing"].fix
        assert "set realm: carrier.test" in test(account(core, realm="elsewhere.test"))["wrong_realm"].fix


@pytest.mark.parametrize(
    ("refusal", "code", "words"),
    [
        ("403 Forbidden", "forbidden", "allow calls from 127.0.0.1"),
        ("488 Not Acceptable Here", "no_codec", "we offer PCMA"),
        ("404 Not Found", "number_unknown", "numbering.send"),
        ("500 Server Internal Error", "peer_failed", "their side"),
        ("503 Service Unavailable", "peer_overloaded", "try again"),
        ("486 Busy Here", "not_answered", "the way is fine"),
        ("433 Anonymity Disallowed", "caller_id_refused", "caller_id.number"),
    ],
)
def test_a_call_that_is_refused(tmp_path: Path, refusal: str, code: str, words: str) -> None:
    with carrier(tmp_path, refuses(refusal)) as peer:
        found = test(trunk(peer.port, codecs=["PCMA"]), "+4930123")
    assert found["options"].text.startswith("200")
    assert words in found[code].fix
    assert refusal.split()[0] in found[code].text


def test_a_registrar_that_forbids(tmp_path: Path) -> None:
    with carrier(tmp_path, register="403 Forbidden") as peer:
        own = {"username": "us", "register_there": True}
        found = test(trunk(peer.port, **own), "+4930123")
    assert "locked" in found["forbidden"].fix
    assert "not_tried" in found, "no call before that is put right"


def test_nobody_answers(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        found = test(trunk(deaf.getsockname()[1]))
    assert "firewall" in found["no_answer"].fix
    refused = test(trunk(free_port(), transport="tcp"))["no_connection"]
    assert "refused" in refused.text.lower()


def test_a_trunk_that_answers_nothing_but_calls(tmp_path: Path) -> None:
    with carrier(tmp_path, takes(), options="", echo=True) as peer:
        found = test(trunk(peer.port), "+4930123")
    assert "health.options_s: 0" in found["options_ignored"].fix
    assert not [one for one in found.values() if one.grade is Grade.FAIL]
    assert int(found["audio in"].text.split()[0]) > 30


def test_a_certificate_for_another_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    certificate, key = authority.issue("client", "us.test")
    tls = {"ca": authority.ca, "certificate": certificate, "key": key}
    with Front(tmp_path, authority, "127.0.0.1:9") as front:
        right = test(trunk(front.tls_port, transport="tls", tls=tls))
        wrong = test(trunk(front.tls_port, transport="tls", hosts=["localhost"], tls=tls))
        unknown = test(trunk(front.tls_port, transport="tls", tls={**tls, "ca": ""}))
    assert "options" in right
    assert "front.test" in wrong["tls_name"].text
    assert "tls.ca" in unknown["tls_certificate"].fix


def test_a_private_contact_and_no_audio(tmp_path: Path) -> None:
    with carrier(tmp_path, takes()) as peer:
        found = test(trunk(peer.port), "+4930123", advertised_ip="10.11.12.13")
    assert "set sip.advertised_ip" in found["private_contact"].fix
    assert "private" in found["private_media"].fix


def test_no_audio_at_all(tmp_path: Path) -> None:
    with carrier(tmp_path, takes()) as peer:
        found = test(trunk(peer.port), "+4930123")
    assert "firewall" in found["no_media"].fix
    assert int(found["audio out"].text.split()[0]) > 30


def test_audio_from_another_address_than_the_sdp_says(tmp_path: Path) -> None:
    with RtpPeer() as far, carrier(tmp_path, takes("127.0.0.1", str(free_port()))) as peer:
        speaking = threading.Thread(target=speak_when_called, args=(peer, far))
        speaking.start()
        found = test(trunk(peer.port), "+4930123", seconds=5.0)
        speaking.join()
        assert len(far.packets) > 30, "what we say goes to where they are"
    assert f"127.0.0.1:{far.port}" in found["other_source"].text
    assert int(found["audio in"].text.split()[0]) > 30


def speak_when_called(peer: Sipp, far: RtpPeer) -> None:
    invite = peer.wait_for("INVITE")
    port = re.search(r"^m=audio (\d+) ", invite.body, re.MULTILINE)
    assert port is not None
    far.start(("127.0.0.1", int(port.group(1))), tone(1000, 10))


def test_audio_both_ways_over_tcp(tmp_path: Path) -> None:
    with carrier(tmp_path, takes(), echo=True) as peer:
        found = test(trunk(peer.port), "+4930123")
    assert set(found) >= {"servers", "options", "address", "call", "audio in", "audio out"}
    assert not [one for one in found.values() if one.grade is Grade.FAIL]
