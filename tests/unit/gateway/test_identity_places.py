"""Which URLs of certificates are asked, at which addresses, and how long the answers are kept."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicegw.base.errors import ConfigError
from voicegw.gateway.identity.config import IdentityConfig
from voicegw.gateway.identity.freshness import keep_s, seconds_of_date
from voicegw.gateway.identity.places import Place, is_public, pick_addresses, read_place
from voicegw.stir.faults import Fault, IdentityFault

CONFIG = IdentityConfig()
NOW = 1_767_261_600.0


def test_a_plain_url() -> None:
    place = read_place("https://Certificates.Test:8443/a/b.pem", CONFIG)
    assert place == Place("certificates.test", 8443, "/a/b.pem")
    assert place.url_at("2001:db8::1") == "https://[2001:db8::1]:8443/a/b.pem"
    assert (place.authority, read_place("https://c.test", CONFIG).authority) == ("certificates.test:8443", "c.test")


@pytest.mark.parametrize(
    "url",
    [
        "http://c.test/a.pem",
        "file:///etc/passwd",
        "ftp://c.test/a.pem",
        "//c.test/a.pem",
        "https:///a.pem",
        "https://localhost/a.pem",
        "https://127.0.0.1/a.pem",
        "https://2130706433/a.pem",
        "https://0x7f.1/a.pem",
        "https://[::1]/a.pem",
        "https://[::1",
        "https://c.test:22/a.pem",
        "https://c.test:0/a.pem",
        "https://c.test:99999/a.pem",
        "https://user:word@c.test/a.pem",
        "https://c.test@10.0.0.1/a.pem",
        "https://c.test/a.pem?n=1",
        "https://c.test/a.pem#x",
        "https://c.test/a.pem\r\nHost: other",
        "https://c\u0131.test/a.pem",
        "https://-c.test/a.pem",
        "",
    ],
)
def test_where_we_do_not_go(url: str) -> None:
    with pytest.raises(IdentityFault) as caught:
        read_place(url, CONFIG)
    assert caught.value.fault is Fault.UNFETCHED


@given(st.text(max_size=60) | st.text("htps:/@[].0-9#?c", max_size=40).map(lambda text: f"https://{text}"))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_place_or_refused(url: str) -> None:
    try:
        place = read_place(url, CONFIG)
    except IdentityFault:
        return
    assert place.port in CONFIG.ports
    assert place.path.startswith("/")
    assert place.path.isascii()


def test_names_without_a_dot_are_for_laboratories() -> None:
    assert read_place("https://localhost/a.pem", IdentityConfig(private_addresses=True)).host == "localhost"
    with pytest.raises(IdentityFault):
        read_place("https://127.1/a.pem", IdentityConfig(private_addresses=True))


def test_hosts_that_are_allowed() -> None:
    config = IdentityConfig(hosts=("cr.example.net", "*.sti.test"))
    for host in ("cr.example.net", "CR.example.net.", "a.sti.test", "a.b.sti.test"):
        assert read_place(f"https://{host}/a.pem", config).path == "/a.pem"
    for host in ("example.net", "x.cr.example.net", "sti.test", "evilsti.test", "cr.example.net.evil.test"):
        with pytest.raises(IdentityFault):
            read_place(f"https://{host}/a.pem", config)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("240.0.0.1", False),
        ("192.0.2.1", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:a00:1::", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


def test_the_first_public_addresses_are_asked() -> None:
    found = ["10.0.0.1", "fe80::1%eth0", "8.8.8.8", "8.8.8.8", "1.1.1.1", "9.9.9.9", "8.8.4.4"]
    assert pick_addresses(found, private=False) == ("8.8.8.8", "1.1.1.1", "9.9.9.9")
    assert pick_addresses(["10.0.0.1"], private=True) == ("10.0.0.1",)
    for addresses in ([], ["127.0.0.1", "::1"]):
        with pytest.raises(IdentityFault):
            pick_addresses(addresses, private=False)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 3600),
        ({"cache-control": "max-age=600"}, 600),
        ({"cache-control": "public, max-age=600", "age": "100"}, 500),
        ({"cache-control": "max-age=600", "age": "x"}, 600),
        ({"cache-control": "max-age=0"}, 60),
        ({"cache-control": "max-age=9999999999"}, 86_400),
        ({"cache-control": "no-store"}, 60),
        ({"cache-control": "private, no-cache, max-age=600"}, 60),
        ({"expires": "Thu, 01 Jan 2026 10:10:00 GMT"}, 600),
        ({"expires": "Thu, 01 Jan 2026 10:10:00 GMT", "cache-control": "max-age=120"}, 120),
        ({"expires": "0"}, 3600),
        ({"expires": "Thu, 01 Jan 1970 00:00:00 GMT"}, 60),
    ],
)
def test_how_long_an_answer_is_kept(headers: dict[str, str], seconds: float) -> None:
    assert keep_s(headers, NOW, 3600.0, 86_400.0) == seconds


@given(st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_any_text_is_a_date_or_none(text: str) -> None:
    found = seconds_of_date(text)
    assert found is None or isinstance(found, float)


def test_dates() -> None:
    assert seconds_of_date("Thu, 01 Jan 2026 10:00:00 GMT") == NOW


@pytest.mark.parametrize(
    "given_settings",
    [
        {"deadline_ms": 0},
        {"window_s": 0.0},
        {"policies": ("abc",)},
        {"hosts": ("https://c.test",)},
        {"ports": ()},
        {"ports": (0,)},
        {"fetches": 0},
    ],
)
def test_settings_that_cannot_work(given_settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        IdentityConfig(**given_settings)  # type: ignore[arg-type]


def test_files_are_found_beside_the_configuration() -> None:
    placed = IdentityConfig(("roots.pem",), revoked=("crl.pem",), ca="ca.pem").placed(Path("/etc/voicegw"))
    assert placed.trust_anchors + placed.revoked + (placed.ca,) == (
        "/etc/voicegw/roots.pem",
        "/etc/voicegw/crl.pem",
        "/etc/voicegw/ca.pem",
    )
