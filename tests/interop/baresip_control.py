"""Runs beside baresip in its namespace: reads steps (JSON) from standard input, prints the events that came.

Its control port speaks JSON in netstrings (module ctrl_tcp of baresip). Exit status 1: a step failed or timed out.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from typing import Any

_CONNECT_S = 60.0
_ANSWER_S = 30.0


class Control:
    """One connection to baresip."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = _connect(host, port)
        self._pending = b""
        self.events: list[dict[str, Any]] = []

    def run(self, command: str, params: str) -> None:
        """Send a command and wait for its answer; events that come first are kept."""
        data = json.dumps({"command": command, "params": params, "token": "t"}).encode()
        self._socket.sendall(b"%d:%s," % (len(data), data))
        deadline = time.monotonic() + _ANSWER_S
        while "response" not in (message := self._read(deadline)):
            self.events.append(message)
        if not message.get("ok"):
            raise RuntimeError(f"baresip refused {command} {params}: {message}")

    def wait(self, kind: str, within_s: float) -> None:
        """Until an event of this type comes, or, without a type, until the time is over."""
        deadline = time.monotonic() + within_s
        seen = [event for event in self.events if event.get("type") == kind]
        while not seen:
            try:
                event = self._read(deadline)
            except TimeoutError:
                if not kind:
                    return
                raise
            self.events.append(event)
            seen = [event] if event.get("type") == kind else []
        # Every wait consumes its event, so that the next wait for the same type means the next one.
        self.events[self.events.index(seen[0])] = {**seen[0], "type": f"{kind} (awaited)"}

    def _read(self, deadline: float) -> dict[str, Any]:
        while True:
            length, colon, rest = self._pending.partition(b":")
            if colon and len(rest) > int(length):
                self._pending = rest[int(length) + 1 :]
                message: dict[str, Any] = json.loads(rest[: int(length)])
                return message
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            data = self._socket.recv(65536)
            if not data:
                raise ConnectionError("baresip closed the control connection")
            self._pending += data


def _connect(host: str, port: int) -> socket.socket:
    deadline = time.monotonic() + _CONNECT_S
    while True:
        try:
            return socket.create_connection((host, port), timeout=10)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def press(key: str, host: str, port: int) -> None:
    """One key of the console (module cons of baresip), a datagram each."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as keyboard:
        keyboard.sendto(key.encode(), (host, port))


def main() -> int:
    """Carry out the steps of standard input."""
    host, control_port, keyboard_port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    control = Control(host, control_port)
    steps = json.load(sys.stdin)
    for step in steps:
        try:
            if step["key"]:
                press(step["key"], host, keyboard_port)
            elif step["command"]:
                control.run(step["command"], step["params"])
            else:
                control.wait(step["wait"], step["within_s"])
        except (OSError, RuntimeError) as error:
            print(f"{step} failed: {error!r}; events: {control.events}", file=sys.stderr)
            return 1
    print(json.dumps(control.events))
    return 0


if __name__ == "__main__":
    sys.exit(main())
