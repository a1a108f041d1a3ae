"""Kamailio as a front with TLS (mutual) and WebSocket, with certificates of a test's own authority."""

from __future__ import annotations

from pathlib import Path

from tests.certificates import Authority
from tests.interop.kamailio_peer import Kamailio
from voicegw.testing.ports import free_port

_TLS = """\
[server:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
private_key = {key}
certificate = {certificate}
ca_list = {ca}
[client:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = yes
private_key = {key}
certificate = {certificate}
ca_list = {ca}
"""


class Front(Kamailio):
    """Calls go on to ``target``; ``tls_port`` and ``ws_port`` are where it listens besides UDP and TCP."""

    def __init__(self, work: Path, authority: Authority, target: str) -> None:
        certificate, key = authority.issue("front", "127.0.0.1", "front.test", "sip:front.test")
        config = work / "front-tls.cfg"
        config.write_text(_TLS.format(key=key, certificate=certificate, ca=authority.ca))
        self.tls_port, self.ws_port = free_port(), free_port()
        super().__init__(
            work,
            "front",
            tls_port=str(self.tls_port),
            ws_port=str(self.ws_port),
            tls_config=str(config),
            target=target,
        )
