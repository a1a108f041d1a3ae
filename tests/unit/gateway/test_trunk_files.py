"""Trunk files: what is read, and every complaint with its line and fix."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from voicegw.base.errors import ConfigError
from voicegw.dialplan.yaml_lines import ConfigProblems
from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_files import load_trunks, make_trunk, parse_trunk
from voicegw.gateway.trunk_sections import Quirk
from voicegw.gateway.trunk_settings import TrunkSettings
from voicegw.sip.address import Transport
from voicegw.sip.digest import Credentials

WHOLE = """\
name: carrier
hosts: [sip.example.net, 192.0.2.7]
transport: tls
outbound_proxies: ["sip:edge.example.net;lr"]
username: 4930123
realm: example.net
password_env: CARRIER_PASSWORD
register_there: true
registration: {expires_s: 600}
allowed_addresses: [198.51.100.0/24, "2001:db8::1"]
numbers: ["+4930123*"]
carries: ["+49*"]
refuses: ["+4990*"]
codecs: [PCMA, PCMU]
ptime_ms: 30
caller_id: {number: "+4930123", identity: pai, trusted: true}
headers: {incoming: ["X-*"], fixed: {X-Site: berlin}}
numbering: {country_code: 49, send: e164}
quirks: {number_in_to: the registrar rewrites the request URI}
"""


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_trunk(text, "t.yaml")
    return str(caught.value)


def test_a_whole_file() -> None:
    trunk = make_trunk(parse_trunk(WHOLE, "carrier.yaml"), {"CARRIER_PASSWORD": "s3cret"})
    assert trunk.name == "carrier"
    assert trunk.domain == "sip.example.net"
    assert trunk.transport is Transport.TLS
    assert trunk.credentials == Credentials("4930123", "s3cret")
    assert trunk.registrar == "sip:sip.example.net"
    assert trunk.address_of_record == "sip:4930123@sip.example.net"
    assert trunk.way.routes == ("<sip:edge.example.net;lr>",)
    assert trunk.way.hosts == ("sip:sip.example.net;transport=tls", "sip:192.0.2.7;transport=tls")
    assert [codec.name for codec in trunk.codecs] == ["PCMA", "PCMU", "telephone-event"]
    networks = {ip_network("198.51.100.0/24"), ip_network("2001:db8::1"), ip_network("192.0.2.7")}
    assert set(trunk.networks) == networks
    assert trunk.has_quirk(Quirk.NUMBER_IN_TO)
    assert not trunk.has_quirk(Quirk.NUMBER_IN_DISPLAY_NAME)


def test_a_trunk_never_shows_its_password() -> None:
    trunk = make_trunk(parse_trunk(WHOLE, "carrier.yaml"), {"CARRIER_PASSWORD": "s3cret"})
    assert "s3cret" not in repr(trunk) + repr(trunk.credentials) + trunk.settings.model_dump_json()


def test_one_host_is_short_for_a_list() -> None:
    trunk = Trunk("pbx", TrunkSettings.model_validate({"host": "2001:db8::5"}))
    assert trunk.settings.hosts == ("2001:db8::5",)
    assert trunk.domain == "[2001:db8::5]"
    assert trunk.networks == (ip_network("2001:db8::5"),)
    assert trunk.way.hosts == ("sip:[2001:db8::5]",)
    assert trunk.credentials is None
    assert trunk.registrar == ""


def test_settings_survive_json() -> None:
    settings = make_trunk(parse_trunk(WHOLE, "x"), {"CARRIER_PASSWORD": "x"}).settings
    assert TrunkSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("text", "line", "message", "fix"),
    [
        ("name: a\nhotss: [x]\n", 2, "unknown key 'hotss'", "did you mean 'hosts'?"),
        ("name: a\nhost: x\ncodecs:\n- PCMU\n- G.711\n", 5, "there is no codec 'G.711'", "PCMA"),
        ("name: a\nallowed_addresses:\n- 192.0.2.1/24\n", 3, "has host bits set", "write 192.0.2.7"),
        ("name: a\nhosts:\n- x\n- y:5062\n", 4, "'y:5062' is no name and no address", "set 'port:'"),
        ("name: a\nregister_there: true\n", 1, "registers without a 'username'", "add 'username:'"),
        ("name: a\nusername: x\nregister_there: true\n", 1, "nobody knows where", "add 'hosts:'"),
        ("name: a\ncarries: ['*']\n", 1, "nobody knows where to", "add 'hosts:'"),
        ("name: a\nhost: x\npassword: secret\n", 3, "does not belong into a file", "password_env"),
        ("name: a\nhost: x\nheaders:\n  fixed: {Via: x}\n", 4, "written by the protocol itself", "remove it"),
        ("name: a\nhost: x\nheaders:\n  outgoing: [Contact]\n", 4, "written by the protocol itself", "remove it"),
        ("name: a\nhost: x\noutbound_proxies: [edge]\n", 3, "'edge' is no SIP URI", "write sip:"),
        ("name: a\nhost: x\nhosts: [y]\n", 1, "has both 'host' and 'hosts'", "put all into 'hosts'"),
        ("name: a\nhost: x\nquirks: {odd: because}\n", 3, "'odd'", "allowed:"),
        ("name: a\nhost: x\ntls: {certificate: a.pem}\n", 1, "without a key", "name both files"),
        ("name: a\nhost: x\ncaller_id: {identity: rpidd}\n", 3, "'rpidd' is not a value", "did you mean 'rpid'?"),
    ],
)
def test_complaints_have_line_and_fix(text: str, line: int, message: str, fix: str) -> None:
    said = refused(text)
    assert f"t.yaml:{line}: " in said
    assert message in said
    assert fix in said


def test_a_directory_tells_everything_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: a\nhost: x\nport: 0\n")
    (tmp_path / "b.yaml").write_text("name: b\nhost: x\npassword_env: NOT_SET\n")
    (tmp_path / "c.yaml").write_text("name: c\nhost: x\n")
    (tmp_path / "d.yaml").write_text("name: c\nhost: x\n")
    with pytest.raises(ConfigProblems) as caught:
        load_trunks(tmp_path, {})
    said = str(caught.value)
    assert "a.yaml:3: port" in said
    assert "the variable NOT_SET is not set" in said
    assert "there is another trunk 'c'" in said


def test_no_directory_is_no_trunk(tmp_path: Path) -> None:
    assert load_trunks(tmp_path / "none", {}) == {}
