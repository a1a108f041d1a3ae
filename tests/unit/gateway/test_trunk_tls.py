"""Which TLS settings hold for which server name."""

from __future__ import annotations

from typing import Any

from voicegw.gateway.tls_config import TlsClients, TlsClientSettings
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.gateway.trunk_tls import TrunkTls, server_names

NODE = TlsClientSettings(ca="node.pem")
OURS = {"certificate": "ours.pem", "key": "ours.key", "ca": "theirs.pem"}


def trunk(**settings: Any) -> Trunk:
    return Trunk("carrier", TrunkSettings.model_validate(settings))


def test_the_names_that_a_trunk_is_dialled_by() -> None:
    named = trunk(domain="Example.net", hosts=["[2001:db8::1]", "a.example.net"], outbound_proxies=["sip:edge;lr"])
    assert server_names(named) == ("example.net", "2001:db8::1", "a.example.net", "edge")


def test_a_trunk_brings_its_own_identity_and_takes_it_away() -> None:
    clients = TlsClients(NODE)
    tls = TrunkTls(clients)
    tls.put_in_force([trunk(hosts=["sip.example.net"], tls=OURS), trunk(hosts=["other.example.net"])])
    assert clients.settings("SIP.example.net") == TlsClientSettings("theirs.pem", "ours.pem", "ours.key")
    assert clients.settings("other.example.net") == NODE
    tls.put_in_force([])
    assert clients.settings("sip.example.net") == NODE


def test_of_two_trunks_at_one_server_the_first_counts() -> None:
    clients = TlsClients(NODE)
    second = {"verify": False}
    TrunkTls(clients).put_in_force([trunk(hosts=["sip.example.net"], tls=one) for one in (OURS, second)])
    assert clients.settings("sip.example.net").certificate == "ours.pem"
