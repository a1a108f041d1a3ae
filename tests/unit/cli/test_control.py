"""Orders to a server that ends while it is asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from voicegw.cli import control
from voicegw.cli.main import main

DRAINING = {"state": "draining", "calls": 1, "deadline_in_s": 600.0, "farewell": "goodbye", "stop": True}


@contextmanager
def _server(folder: Path) -> Iterator[Path]:
    """Answers one order, and is gone; its configuration."""
    config = folder / "voicegw.yaml"
    config.write_text(f"paths: {{control: {folder / 'control.sock'}}}\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(folder / "control.sock"))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as orders:
                assert json.loads(orders.readline())["do"] == "drain"
                connection.sendall(json.dumps({"ok": DRAINING}).encode() + b"\n")

        serving = threading.Thread(target=serve)
        serving.start()
        yield config
        serving.join()


@pytest.mark.parametrize(("stop", "status"), [(["--stop"], 0), ([], 1)])
def test_who_waits_sees_the_server_end(
    tmp_path: Path, stop: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with _server(tmp_path) as config:
        assert main(["drain", "-c", str(config), "--wait", *stop]) == status
    said = capsys.readouterr()
    assert "draining, 1 calls" in said.out
    assert ("the server has ended" in said.err) is bool(status)


def test_a_server_that_does_not_answer_is_said_to_be_slow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Engines that are started for a reload take their time."""
    monkeypatch.setattr(control, "_PATIENCE_S", 0.05)
    config = tmp_path / "voicegw.yaml"
    config.write_text(f"paths: {{control: {tmp_path / 'control.sock'}}}\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "control.sock"))
        listener.listen()
        assert main(["reload", "-c", str(config)]) == 1
    assert "has not answered" in capsys.readouterr().err
