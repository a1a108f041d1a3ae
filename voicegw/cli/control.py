"""``voicegw drain``, ``undrain``, ``reload`` and ``status``: orders for the server that runs on this machine."""

from __future__ import annotations

import argparse
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from voicegw.base.errors import LocalError
from voicegw.config import load_config

_LOOK_S: Final = 0.5
_PATIENCE_S: Final = 60.0
Ask = Any
"""(order) to its answer."""


def run(arguments: argparse.Namespace) -> int:
    """Order what ``action`` says; 0 when it is done, with ``--wait`` when the node is empty."""
    with connected(Path(load_config(arguments.config).paths.control)) as ask:
        match arguments.action:
            case "drain":
                return _drain(ask, arguments)
            case "reload":
                _tell(ask({"do": "reload"}), as_json=arguments.json)
            case action:
                _show(ask({"do": action}), as_json=arguments.json)
    return 0


@contextmanager
def connected(path: Path) -> Iterator[Ask]:
    """The way to the server whose control socket this is; raises LocalError where none listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE_S)
        _connect(connection, path)
        with connection.makefile("rb") as answers:

            def ask(order: Mapping[str, Any]) -> Any:
                try:
                    connection.sendall(json.dumps(order).encode() + b"\n")
                    line = answers.readline()
                except TimeoutError:
                    text = f"the server has not answered for {_PATIENCE_S:.0f} s; its log says what came of it"
                    raise LocalError(text) from None
                except ConnectionError:
                    line = b""
                if not line:
                    raise LocalError("the server has ended, or failed at this: see its log")
                answer = json.loads(line)
                if "error" in answer:
                    raise LocalError(answer["error"])
                return answer["ok"]

            yield ask


def _connect(connection: socket.socket, path: Path) -> None:
    """By way of its directory, whose name may be longer than that of a socket."""
    try:
        directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            connection.connect(f"/proc/self/fd/{directory}/{path.name}")
        finally:
            os.close(directory)
    except OSError as error:
        text = f"no server of this configuration runs here ({path}: {error.strerror})"
        raise LocalError(f"{text}; name its configuration with -c, and be the user that it runs as") from None


def _drain(ask: Ask, arguments: argparse.Namespace) -> int:
    wish = {
        "deadline_s": arguments.deadline,
        "farewell": arguments.farewell,
        "transfer_to": arguments.to,
        "stop": arguments.stop,
    }
    status = ask({"do": "drain", "wish": wish})
    _show(status, as_json=arguments.json)
    calls = status["calls"]
    while arguments.wait and status["state"] in ("draining", "handing_over"):
        time.sleep(_LOOK_S)
        try:
            status = ask({"do": "status"})
        except LocalError:
            if not arguments.stop:
                raise
            break  # it was told to end with its last call
        if status["calls"] != calls:
            calls = status["calls"]
            _show(status, as_json=arguments.json)
    if arguments.wait and status["state"] == "serving":
        raise LocalError("somebody lets it take calls again")
    return 0


def _show(status: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(status))
        return
    text = f"{status['state'].replace('_', ' ')}, {status['calls']} calls"
    if status["deadline_in_s"]:
        text += f", {status['farewell']} in {status['deadline_in_s']:.0f} s"
    print(text + (", then the process ends" if status["stop"] else ""), flush=True)


def _tell(report: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report))
        return
    print(f"in force: {', '.join(report['changed']) or 'nothing of the configuration is different'}")
    if report["need_restart"]:
        print(f"after a restart only: {', '.join(report['need_restart'])}")
