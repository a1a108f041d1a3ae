"""Commands that ask a running server by its API, against a server of the test that notes what it is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
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


def _types(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(f"{line}\n"))


def test_the_first_administrator_is_made_with_the_link_of_the_log(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers = {("POST", "/v1/setup"): (201, b"{}")}
    _types(monkeypatch, "correct horse battery")
    link = "http://127.0.0.1:8080/setup#vgl_abc"
    assert main(["keys", "first", link, "--user", "ada", "--url", server.url]) == 0
    body = {"token": "vgl_abc", "name": "ada", "password": "correct horse battery"}
    assert server.asked == [("POST", "/v1/setup", body)]


def test_a_key_is_made_in_a_session_that_ends(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = {
        ("POST", "/v1/session"): (200, b'{"token": "vgs_1"}'),
        ("POST", "/v1/keys"): (201, b'{"secret": "vgk_1"}'),
        ("DELETE", "/v1/session"): (204, b""),
    }
    _types(monkeypatch, "correct horse battery")
    order = [
        "keys",
        "make",
        "prometheus",
        "--scope",
        "metrics",
        "--days",
        "30",
        "--user",
        "ada",
        "--code",
        "123456",
    ]
    assert main([*order, "--url", server.url]) == 0
    assert capsys.readouterr().out == "vgk_1\n"
    assert server.asked == [
        ("POST", "/v1/session", {"name": "ada", "password": "correct horse battery", "code": "123456"}),
        ("POST", "/v1/keys", {"name": "prometheus", "scopes": ["metrics"], "expires_in_days": 30}),
        ("DELETE", "/v1/session", None),
    ]
    assert server.keys == {None, "Bearer vgs_1"}


def test_keys_are_listed_over_pages_and_revoked_by_name(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = {"expires_at": None, "revoked_at": None, "scopes": ["metrics"]}
    first = {"items": [{"id": "k_1", "name": "a", **ends}], "next": "c/1"}
    second = {"items": [{"id": "k_2", "name": "b", **ends}], "next": None}
    server.answers = {
        ("POST", "/v1/session"): (200, b'{"token": "vgs_1"}'),
        ("GET", "/v1/keys?limit=200"): (200, json.dumps(first).encode()),
        ("GET", "/v1/keys?limit=200&cursor=c%2F1"): (200, json.dumps(second).encode()),
        ("DELETE", "/v1/keys/k_2"): (204, b""),
        ("DELETE", "/v1/session"): (204, b""),
    }
    _types(monkeypatch, "x")
    assert main(["keys", "list", "--user", "ada", "--url", server.url]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["a", "b"]
    _types(monkeypatch, "x")
    assert main(["keys", "revoke", "b", "--user", "ada", "--url", server.url]) == 0
    assert ("DELETE", "/v1/keys/k_2", None) in server.asked
    _types(monkeypatch, "x")
    assert main(["keys", "revoke", "c", "--user", "ada", "--url", server.url]) == 1
    assert "'c'" in capsys.readouterr().err
    assert server.asked[-1] == ("DELETE", "/v1/session", None)
