"""Calls of sipp whose numbers openssl has signed, with the certificate on a web server of openssl's.

Nothing of ours is in the tokens: their JSON and base64 are made by hand, the signature by ``openssl dgst``,
and root and certificate with its TNAuthList by ``openssl req`` and ``openssl x509``. Each call has its sound
checked both ways.
"""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.introductions import Introduction, Taken, take_all
from tests.interop.process import Process
from tests.interop.server import Server
from tests.interop.sipp_peer import Sipp
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

CARRIER, WATCHED = "127.0.0.2", "127.0.0.3"
CALLER, CALLED = "12025550101", "12155550113"
ORIGIN = "123e4567-e89b-42d3-a456-426614174000"
_START_S = 30.0
POLICY = "2.16.840.1.114569.1.1.1"
CONFIGURATION = f"""
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[signer]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
certificatePolicies = {POLICY}
1.3.6.1.5.5.7.1.26 = ASN1:SEQUENCE:list
[web]
subjectAltName = DNS:localhost
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[list]
code = EXPLICIT:0,IA5STRING:709J
"""


def openssl(work: Path, *arguments: str, text: bytes = b"") -> bytes:
    """What openssl says."""
    done = subprocess.run(
        ["openssl", *arguments], cwd=work, input=text, capture_output=True, timeout=30, check=True
    )
    return done.stdout


def issue(work: Path, name: str, *, root: bool = False) -> None:
    """A key and a certificate, ``name.key`` and ``name.pem``, for a week."""
    openssl(work, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")
    subject = ("-subj", f"/CN={name} of openssl", "-config", "openssl.cnf", "-key", f"{name}.key")
    if root:
        openssl(work, "req", "-new", "-x509", *subject, "-extensions", name, "-days", "7", "-out", f"{name}.pem")
        return
    request = openssl(work, "req", "-new", *subject)
    by = ("-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "7")
    extensions = ("-extfile", "openssl.cnf", "-extensions", name)
    openssl(work, "x509", "-req", *by, *extensions, "-out", f"{name}.pem", text=request)


def coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs with openssl; its certificate is at ``url``."""

    work: Path
    url: str

    def identity(self, attestation: str, orig: str = CALLER, *, key: str = "signer") -> str:
        """An Identity header."""
        head = {"alg": "ES256", "ppt": "shaken", "typ": "passport", "x5u": self.url}
        claims = {
            "attest": attestation,
            "dest": {"tn": [CALLED]},
            "iat": int(time.time()),
            "orig": {"tn": orig},
            "origid": ORIGIN,
        }
        signed = ".".join(coded(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
        der = openssl(self.work, "dgst", "-sha256", "-sign", f"{key}.key", text=signed.encode())
        return f"Identity: {signed}.{coded(raw_signature(der))};info=<{self.url}>;alg=ES256;ppt=shaken"


def raw_signature(der: bytes) -> bytes:
    """r and s of 32 bytes each, out of SEQUENCE {INTEGER, INTEGER}."""
    length = der[3]
    r, s = der[4 : 4 + length], der[6 + length :]
    return b"".join(int.from_bytes(one, "big").to_bytes(32, "big") for one in (r, s))


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signer]:
    """The files, and a web server that has them."""
    work, port = tmp_path_factory.mktemp("signer"), free_port()
    (work / "openssl.cnf").write_text(CONFIGURATION)
    issue(work, "root", root=True)
    for name in ("signer", "web"):
        issue(work, name)
    served = ("-WWW", "-cert", "web.pem", "-key", "web.key", "-accept", f"127.0.0.1:{port}")
    with Process(["openssl", "s_server", *served], log=work / "web.log", cwd=work) as web:
        give_up = time.monotonic() + _START_S
        while "ACCEPT" not in web.output:
            assert web.running and time.monotonic() < give_up, web.output
            time.sleep(0.02)
        yield Signer(work, f"https://localhost:{port}/signer.pem")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, signer: Signer) -> Iterator[Server]:
    """One trunk that wants signed callers, and one that only tells."""
    port = int(signer.url.rpartition(":")[2].partition("/")[0])
    root = str(signer.work / "root.pem")
    identity = {
        "trust_anchors": [root],
        "policies": [POLICY],
        "ca": root,
        "ports": [port],
        "private_addresses": True,
    }
    routes = [{"name": "proven", "match": {"attestation": ["A", "B"]}, "agent": "who_calls"}]
    server = Server(
        tmp_path_factory.mktemp("calls"),
        agent="who_calls",
        routes=routes,
        settings={"sip": {"identity": identity | {"deadline_ms": 10_000, "fetch_ms": 10_000}}},
    )
    server.write_trunk("carrier", allowed_addresses=[CARRIER], identity={"policy": "require", "attestation": "B"})
    server.write_trunk("watched", allowed_addresses=[WATCHED], identity="inform")
    with server:
        yield server


def introduced(name: str, host: str, header: str) -> Introduction:
    return Introduction(
        name,
        host,
        (header,),
        uri=f"sip:+{CALLED}@[remote_ip]:[remote_port]",
        sender=f"<sip:+{CALLER}@carrier.test>",
        receiver=f"<sip:+{CALLED}@house.test>",
        says_s=3.0,
    )


@pytest.fixture(scope="module")
def taken(server: Server, signer: Signer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Taken]:
    """The calls that come through, at once."""
    calls = [
        introduced("signed", CARRIER, signer.identity("B")),
        introduced("forged", WATCHED, signer.identity("A", key="web")),
    ]
    return take_all(server, tmp_path_factory.mktemp("callers"), calls)


def test_a_number_that_openssl_signed_is_proven_to_dialplan_record_and_agent(taken: dict[str, Taken]) -> None:
    call = taken["signed"]
    call.says(route="proven", calling=f"+{CALLER}", verified="passed", attestation="B", origination_id=ORIGIN)
    call.says(signer="CN=signer of openssl", identity_fault="")
    assert "You are verified." in call.log.agent_said


def test_a_forged_number_is_told_where_the_policy_only_informs(taken: dict[str, Taken]) -> None:
    call = taken["forged"]
    call.says(route="everything", verified="failed", attestation="A", signer="")
    call.says(identity_fault="invalid: the signature is not that of the certificate's key")
    assert "You are verified." not in call.log.agent_said


@pytest.mark.parametrize(
    ("attestation", "key", "status", "reason"),
    [("A", "web", "438", "STIR"), ("C", "signer", "403", "Q.850"), ("", "", "428", "STIR")],
)
def test_a_forged_weak_or_missing_signature_is_refused_where_the_policy_requires_one(
    server: Server, signer: Signer, tmp_path: Path, attestation: str, key: str, status: str, reason: str
) -> None:
    header = f"\n{signer.identity(attestation, key=key)}" if key else ""
    values = {
        "max_forwards": "70",
        "shown": f"+{CALLER}",
        "headers": header,
        "content_type": "application/sdp",
        "status": status,
        "body": "v=0\no=x 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 40000 RTP/AVP 0",
    }
    sipp = Sipp(
        tmp_path, "refused_invite", target=server.address, host=CARRIER, service=f"+{CALLED}", values=values
    )
    with sipp:
        sipp.passed()
        (refusal,) = sipp.distinct(f"SIP/2.0 {status}", "INVITE")
        assert f"Reason: {reason};cause=" in refusal.text
