"""``voicegw reload`` and SIGHUP at a running server: what can change does, the rest is named, a wrong file changes
nothing."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self

import pytest
import yaml

from tests.interop.fault_server import TTS, FaultServer
from tests.interop.process import alive
from tests.interop.sound import speech_seconds
from voicegw.cli.main import main
from voicegw.testing.ports import free_port

DENIED: Final = "127.0.0.9"
pytestmark = [pytest.mark.interop, pytest.mark.realtime]


class _Stranger:
    """Somebody at another address of the loopback who asks whether anybody is there."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((DENIED, 0))
        self._asked = 0

    def ask(self) -> None:
        self._asked += 1
        port = self._socket.getsockname()[1]
        lines = (
            f"OPTIONS sip:{self._server[0]} SIP/2.0",
            f"Via: SIP/2.0/UDP {DENIED}:{port};rport;branch=z9hG4bKstranger{self._asked}",
            f"From: <sip:x@{DENIED}>;tag=x",
            f"To: <sip:{self._server[0]}>",
            f"Call-ID: stranger-{self._asked}",
            "CSeq: 1 OPTIONS",
            "Content-Length: 0",
        )
        self._socket.sendto("\r\n".join([*lines, "", ""]).encode(), self._server)

    def hears(self, within_s: float) -> bool:
        """Whether anything comes; it is taken."""
        heard = bool(select.select([self._socket], [], [], within_s)[0])
        return heard and self._socket.recv(65_535).startswith(b"SIP/2.0 200")

    def is_answered(self, within_s: float) -> bool:
        """Whether a question is."""
        self.ask()
        return self.hears(within_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_why: object) -> None:
        self._socket.close()


class _Collector(ThreadingHTTPServer):
    """Takes traces."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        got = self.got

        class Taker(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                got.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Taker)
        self._thread = threading.Thread(target=self.serve_forever)
        self._thread.start()

    def __exit__(self, *why: object) -> None:
        self.shutdown()
        self._thread.join()
        super().__exit__(*why)


def _write(server: FaultServer, sections: dict[str, dict[str, Any]]) -> None:
    config = yaml.safe_load(server.configuration.read_text())
    for name, values in sections.items():
        config[name] = config.get(name, {}) | values
    server.configuration.write_text(yaml.safe_dump(config))


def _reload(server: FaultServer, capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    assert main(["reload", "-c", str(server.configuration), "--json"]) == 0
    report: dict[str, list[str]] = json.loads(capsys.readouterr().out)
    return report


def _is_bound(port: int) -> bool:
    rows = [line.split()[1] for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return any(int(place.rpartition(":")[2], 16) == port for place in rows)


def test_a_configuration_changes_under_a_running_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    listener = {"transport": "udp", "ip": "127.0.0.1", "port": port}
    settings = {"sip": {"listeners": [listener]}}
    server = FaultServer(tmp_path, settings=settings, expected=("reload refused",), port=port)

    def write(**sections: dict[str, Any]) -> None:
        _write(server, sections)

    def reload() -> dict[str, list[str]]:
        return _reload(server, capsys)

    with server, server.phone() as phone:
        assert phone.dial() == 200
        engines = server.workers(TTS)
        write(limits={"max_calls": 1}, speech={"tts": ["espeak"]}, store={"pool_size": 3}, log={"level": "debug"})
        report = reload()
        assert set(report["changed"]) == {"limits.max_calls", "speech.tts", "log.level"}
        assert report["need_restart"] == ["store.pool_size"]
        with server.phone() as late:
            assert late.dial() == 503
        since = phone.mark()
        phone.press("97531#")
        phone.wait_heard(lambda samples: speech_seconds(samples) >= 1, 30, since)
        assert set(engines) <= set(alive(engines)), "a call that began with an engine keeps it"
        write(limits={"max_calls": 5}, sip={"codecs": ["mp3"]})
        assert main(["reload", "-c", str(server.configuration)]) == 1
        said = capsys.readouterr().err
        assert f"{server.configuration}:" in said and "unknown codecs: mp3" in said and "choose from" in said
        with server.phone() as late:
            assert late.dial() == 503, "nothing of a wrong file is in force"
        write(sip={"codecs": ["PCMU"]})
        assert set(reload()["changed"]) == {"limits.max_calls", "sip.codecs"}
        with _Stranger((server.host, server.port)) as stranger:
            assert stranger.is_answered(30)
            write(sip={"listeners": [listener | {"deny": [DENIED]}]})
            assert reload()["changed"] == ["sip.listeners[0].deny"]
            stranger.ask()
            with server.phone() as late:
                assert late.options().startswith("SIP/2.0 200")
            assert not stranger.hears(0), "what it sent was read before what is answered by now"
            write(sip={"listeners": [listener]})
            os.kill(server.process.pid, signal.SIGHUP)
            server.wait(lambda: stranger.is_answered(0.5), 30, "the reload by a signal lets it in again")
        phone.hang_up()
        server.wait(lambda: alive(engines) == [], 30, "the engine ends with the last call that began with it")
        with server.phone() as late:
            assert late.dial() == 200
            late.wait_heard(lambda samples: speech_seconds(samples) >= 0.5, 30)
            late.hang_up()


def test_traces_and_media_change_while_the_server_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = FaultServer(tmp_path, settings={"media": {"draining_s": 600.0}})
    with _Collector() as collector, server:
        otlp = {"url": f"http://127.0.0.1:{collector.server_port}/v1/traces", "service_name": "reloaded"}
        with server.phone() as before, server.phone() as after:
            assert before.dial() == 200
            assert before.remote is not None
            port = before.remote[1]
            _write(server, {"observability": {"otlp": otlp}})
            report = _reload(server, capsys)
            assert set(report["changed"]) == {"observability.otlp.url", "observability.otlp.service_name"}
            assert after.dial() == 200
            before.hang_up()
            server.wait_ended(before)
            after.hang_up()
            server.wait(lambda: bool(collector.got), 30, "the call that began after the reload is traced")
        assert b"reloaded" in collector.got[0] and _is_bound(port)
        _write(server, {"media": {"draining_s": 0.5}})
        assert _reload(server, capsys) == {"changed": ["media.draining_s"], "need_restart": []}
        server.wait(lambda: not _is_bound(port), 30, "the worker gives back the port of the call that is over")
    assert server.counters["traces_sent"] == 1, "a call that began without traces has none"
