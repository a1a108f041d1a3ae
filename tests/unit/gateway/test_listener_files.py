"""Listeners in a configuration file: read, placed, and refused with the place and the fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicegw.base.errors import ConfigError
from voicegw.config import load_config
from voicegw.gateway.tls_config import ClientCertificates
from voicegw.sip.address import Transport

DOCUMENT = Path(__file__).parents[3] / "docs" / "sip-transports.md"


def written(path: Path, text: str) -> Path:
    file = path / "voicegw.yaml"
    file.write_text(text)
    return file


def test_the_example_of_the_documentation_can_be_loaded(tmp_path: Path) -> None:
    example = DOCUMENT.read_text().partition("```yaml\n")[2].partition("```")[0]
    sip = load_config(written(tmp_path, example)).sip
    kinds = [listener.kind for listener in sip.reached_by]
    udp, tcp, tls, wss = Transport.UDP, Transport.TCP, Transport.TLS, Transport.WSS
    assert kinds == [udp, tcp, udp, tcp, tls, wss]
    assert [listener.advertised_ip for listener in sip.reached_by[:3]] == ["203.0.113.9", "203.0.113.9", ""]
    assert sip.reached_by[4].client_certificates is ClientCertificates.OPTIONAL
    assert sip.stream_above == 1300


def test_the_simple_form_is_udp_and_tcp() -> None:
    sip = load_config(None).sip
    assert [(one.transport, one.ip, one.port) for one in sip.reached_by] == [
        ("udp", "0.0.0.0", 5060),
        ("tcp", "0.0.0.0", 5060),
    ]


def test_files_are_found_from_the_directory_of_the_configuration(tmp_path: Path) -> None:
    text = "sip:\n  listeners:\n    - {transport: tls, port: 5061, certificate: sip.pem, key: sip.key}\n"
    (listener,) = load_config(written(tmp_path, text)).sip.listeners
    assert (listener.certificate, listener.key) == (str(tmp_path / "sip.pem"), str(tmp_path / "sip.key"))


def test_without_a_tcp_listener_large_requests_stay_with_udp(tmp_path: Path) -> None:
    text = "sip:\n  listeners:\n    - {transport: udp, port: 5060}\n"
    assert load_config(written(tmp_path, text)).sip.stream_above == 0


@pytest.mark.parametrize(
    ("listener", "message"),
    [
        ("{transport: sctp, port: 5060}", "no transport 'sctp'"),
        ("{transport: tls, port: 5061}", "needs a certificate"),
        ("{transport: udp}", "port"),
        ("{transport: udp, port: 5060, prot: 1}", "prot"),
        ("{transport: tls, port: 1, certificate: a, client_certificates: maybe}", "client_certificates"),
    ],
)
def test_what_cannot_work_is_refused_with_its_place(tmp_path: Path, listener: str, message: str) -> None:
    file = written(tmp_path, f"sip:\n  listeners:\n    - {listener}\n")
    with pytest.raises(ConfigError, match=message) as refused:
        load_config(file)
    assert str(refused.value).startswith(f"{file}:")
