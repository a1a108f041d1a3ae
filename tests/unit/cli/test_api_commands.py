"""Commands that ask a running server by its API, against a server of the test that notes what it is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from voicegw.cli.main import main

BANS = [{"host": "203.0.113.9", "reason": "scanner", "ends_in_s": 59.6}]
CALL = "/v1/calls/c1"


class Server:
    """Answers ``answers[method, path]``: a status and a body."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, object]] = []
        self.keys: set[str | None] = set()
        self.answers: dict[tuple[str, str], tuple[int, bytes]] = {}
        house = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                said = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                house.asked.append((self.command, self.path, json.loads(said) if said else None))
                house.keys.add(self.headers.get("Authorization"))
                status, body = house.answers.get((self.command, self.path), (404, b"{}"))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = answer  # noqa: N815 - names of the library

            def log_message(self, *_what: object) -> None:
                """Into the note, not to the terminal."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = Thread(target=self._http.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("VOICEGW_API_KEY", "secret")
    house = Server()
    yield house
    house.close()


def test_bans_are_listed_made_and_lifted(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.answers = {
        ("GET", "/v1/guard/bans"): (200, json.dumps(BANS).encode()),
        ("POST", "/v1/guard/bans"): (204, b""),
        ("DELETE", "/v1/guard/bans/2001%3Adb8%3A%3A9"): (204, b""),
    }
    assert main(["bans", "--url", server.url]) == 0
    assert capsys.readouterr().out.split() == ["203.0.113.9", "60", "s", "scanner"]
    assert main(["bans", "--url", server.url, "--add", "203.0.113.7", "--seconds", "60"]) == 0
    assert main(["bans", "--url", server.url, "--lift", "2001:db8::9"]) == 0
    assert server.asked[1:] == [
        ("POST", "/v1/guard/bans", {"host": "203.0.113.7", "seconds": 60}),
        ("DELETE", "/v1/guard/bans/2001%3Adb8%3A%3A9", None),
    ]
    assert server.keys == {"Bearer secret"}


def test_a_refusal_is_told_in_the_servers_words(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.answers = {("POST", "/v1/guard/bans"): (409, b'{"detail": "this address is a trunk\'s"}')}
    assert main(["bans", "--url", server.url, "--add", "203.0.113.7"]) == 1
    assert "this address is a trunk's" in capsys.readouterr().err


def test_a_server_that_is_not_there_is_named(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bans", "--url", "http://127.0.0.1:1"]) == 1
    assert "http://127.0.0.1:1 does not answer" in capsys.readouterr().err


def test_without_a_key_the_fix_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("VOICEGW_API_KEY", raising=False)
    assert main(["bans", "--url", "http://127.0.0.1:1"]) == 1
    assert "VOICEGW_API_KEY" in capsys.readouterr().err


def test_a_capture_ends_with_its_call_and_is_fetched(server: Server, tmp_path: Path) -> None:
    packets = b"\xd4\xc3\xb2\xa1 packets"
    server.answers = {
        ("POST", f"{CALL}/capture"): (202, b"{}"),
        ("GET", CALL): (200, b'{"call": {"state": "ended"}}'),
        ("DELETE", f"{CALL}/capture"): (404, b'{"detail": "over"}'),
        ("GET", f"{CALL}/capture"): (200, packets),
    }
    out = tmp_path / "call.pcap"
    given = ["--out", str(out), "--url", server.url, "--headers-only", "--seconds", "30"]
    assert main(["calls", "capture", "c1", *given]) == 0
    assert out.read_bytes() == packets
    assert server.asked[1] == ("POST", f"{CALL}/capture", {"audio": False, "max_seconds": 30.0})


def test_a_capture_that_is_refused_leaves_no_file(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = {
        ("GET", CALL): (200, b'{"call": {"state": "active"}}'),
        ("POST", f"{CALL}/capture"): (403, b'{"detail": "calls:capture is missing"}'),
    }
    out = tmp_path / "call.pcap"
    assert main(["calls", "capture", "c1", "--out", str(out), "--url", server.url]) == 1
    assert not out.exists()
    assert "calls:capture is missing" in capsys.readouterr().err


def test_a_key_that_may_not_see_the_call_begins_no_capture(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = {("GET", CALL): (403, b'{"detail": "calls:read is missing"}')}
    assert main(["calls", "capture", "c1", "--out", str(tmp_path / "call.pcap"), "--url", server.url]) == 1
    assert "calls:read is missing" in capsys.readouterr().err
    assert [method for method, *_ in server.asked] == ["GET"]
