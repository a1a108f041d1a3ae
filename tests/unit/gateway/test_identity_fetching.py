"""The web as it may answer: a TLS server on loopback that says what the test wants, and how each answer ends."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.unit.gateway.nodes import PATIENCE_S, run
from tests.unit.stir.authority import new_key
from voicegw.base.errors import ConfigError
from voicegw.gateway.identity.config import IdentityConfig
from voicegw.gateway.identity.fetching import WebFetch
from voicegw.gateway.identity.places import Place
from voicegw.stir.faults import Fault, IdentityFault

HOST = "certificates.test"
LAB = IdentityConfig(private_addresses=True, fetch_ms=9000)
NOW = 1_767_261_600.0


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's certificate, which is its own authority, and the key."""
    work, key = tmp_path_factory.mktemp("web"), new_key()
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, SHA256())
    )
    (work / "web.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (work / "web.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return work


class Web:
    """Answers every request with the same bytes; ``asked`` are the heads of the requests."""

    def __init__(self, files: Path, answer: bytes) -> None:
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(files / "web.pem", files / "web.key")
        self._answer = answer
        self.asked: list[bytes] = []

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        return int(self._server.sockets[0].getsockname()[1])

    async def __aexit__(self, *_error: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self._answer)
        if self._answer:
            writer.close()
        else:
            await reader.read()
            writer.close()


def fetch(config: IdentityConfig, files: Path, *addresses: str) -> WebFetch:
    async def resolve(host: str, port: int) -> Sequence[str]:
        assert host in (HOST, "other.test")
        return addresses

    return WebFetch(replace(config, ca=str(files / "web.pem")), resolve)


def ok(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def fails(answer: bytes, files: Path, why: str, config: IdentityConfig = LAB, host: str = HOST) -> list[bytes]:
    web = Web(files, answer)

    async def scenario() -> None:
        async with web as port:
            with pytest.raises(IdentityFault, match=why) as caught:
                await fetch(config, files, "127.0.0.1")(Place(host, port, "/a.pem"), NOW)
            assert caught.value.fault is Fault.UNFETCHED

    run(scenario())
    return web.asked


def test_a_file_comes_with_the_time_that_it_may_be_kept(files: Path) -> None:
    web = Web(files, ok(b"pem", "Cache-Control: max-age=700"))

    async def scenario() -> None:
        async with web as port:
            fetched = await fetch(LAB, files, "127.0.0.1")(Place(HOST, port, "/a.pem"), NOW)
            assert (fetched.pem, fetched.keep_s) == (b"pem", 700.0)
            assert web.asked[0].startswith(b"GET /a.pem HTTP/1.1\r\n")
            assert f"Host: {HOST}:{port}\r\n".encode() in web.asked[0]

    run(scenario())


def test_the_next_address_is_asked_where_the_first_cannot_be_reached(files: Path) -> None:
    async def scenario() -> None:
        async with Web(files, ok(b"pem")) as port:
            found = await fetch(LAB, files, "127.0.0.2", "127.0.0.1")(Place(HOST, port, "/a.pem"), NOW)
            assert found.pem == b"pem"

    run(scenario())


def test_nobody_is_led_elsewhere(files: Path) -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/secret\r\nContent-Length: 0\r\n\r\n"
    assert len(fails(moved, files, "said 302")) == 1
    fails(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", files, "said 404")


def test_files_that_are_too_large_are_not_read_to_their_end(files: Path) -> None:
    fails(ok(b"x" * 1025), files, "more than 1024 bytes", replace(LAB, max_bytes=1024))


def test_what_is_no_http_is_a_failure(files: Path) -> None:
    fails(b"SSH-2.0-x\r\n\r\n", files, "server failed")


def test_who_says_nothing_is_given_up(files: Path) -> None:
    fails(b"", files, "within 500 ms|ConnectTimeout", replace(LAB, fetch_ms=500))


def test_the_servers_certificate_has_to_be_for_the_name(files: Path) -> None:
    assert fails(ok(b"pem"), files, "ConnectError", host="other.test") == []


def test_private_addresses_are_not_asked(files: Path) -> None:
    assert fails(ok(b"pem"), files, "no public address", replace(LAB, private_addresses=False)) == []


def test_authorities_that_cannot_be_read_are_an_error_at_once(files: Path) -> None:
    with pytest.raises(ConfigError):
        WebFetch(IdentityConfig(ca=str(files / "missing.pem")))
    with pytest.raises(ConfigError):
        WebFetch(IdentityConfig(ca=str(files / "web.key")))


def test_names_that_nobody_finds_take_no_threads_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who calls chooses the name, and a name server may leave a question open for longer than we wait."""
    given_up = threading.Event()

    def never(*_place: object, **_hints: object) -> list[object]:
        given_up.wait(PATIENCE_S)
        return []

    async def scenario() -> None:
        monkeypatch.setattr(socket, "getaddrinfo", never)
        web = WebFetch(replace(LAB, fetch_ms=10))
        for number in range(40):
            with pytest.raises(IdentityFault, match="within 10 ms"):
                await web(Place(f"slow{number}.test", 443, "/"), NOW)
        assert await asyncio.to_thread(len, HOST) == len(HOST)

    try:
        run(scenario())
    finally:
        given_up.set()
