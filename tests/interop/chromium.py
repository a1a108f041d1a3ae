"""A browser without a window, driven over a pipe by the DevTools protocol, with a microphone that plays a file.

The pipe instead of a port: the browser may live in a namespace that we cannot reach, and nobody else can drive it.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.interop.namespace import Namespace
from tests.interop.process import alive, descendants

_SWITCHES = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions"),
    *("--mute-audio", "--autoplay-policy=no-user-gesture-required"),
    *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
    # The only address of the test's network is on its loopback device.
    "--allow-loopback-in-peer-connection",
    *("--remote-debugging-pipe", "--log-level=3"),
)
_PLACE_PIPES = """
import fcntl, os, sys
ours = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
for number, there in zip(ours, (3, 4)):
    os.dup2(number, there)
os.execvp(sys.argv[3], sys.argv[3:])
"""
"""Chromium reads its orders from descriptor 3 and answers on 4."""
_ANSWER_S = 60.0
_CLOSE_S = 5.0
_POLL_S = 0.05


class Chromium:
    """One browser with one page. Leaving the ``with`` block ends it and all its processes."""

    def __init__(self, work: Path, namespace: Namespace, microphone: Path) -> None:
        program = shutil.which("chromium")
        assert program, "chromium is missing: scripts/test installs it"
        profile = work / "chromium"
        profile.mkdir()
        args = [program, *_SWITCHES, f"--user-data-dir={profile}"]
        args += [f"--use-file-for-fake-audio-capture={microphone}", "about:blank"]
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        placed = [sys.executable, "-c", _PLACE_PIPES, str(commands), str(answers), *namespace.command(args)]
        self._log = work / "chromium.log"
        with self._log.open("wb") as log:
            self._popen = subprocess.Popen(
                placed,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(commands, answers),
                start_new_session=True,
                env=os.environ | {"HOME": str(profile)},
            )
        os.close(commands)
        os.close(answers)
        self._ids = itertools.count(1)
        self._news = threading.Condition()
        self._replies: dict[int, dict[str, Any]] = {}
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self._session = ""

    # ------------------------------------------------------------ the page

    def open(self, url: str, before: str = "") -> None:
        """Show a page; ``before`` runs ahead of its own scripts, in this and all later pages."""
        if not self._session:
            target = self._ask("Target.createTarget", {"url": "about:blank"})["targetId"]
            attached = self._ask("Target.attachToTarget", {"targetId": target, "flatten": True})
            self._session = attached["sessionId"]
            self._ask("Page.enable")
        if before:
            self._ask("Page.addScriptToEvaluateOnNewDocument", {"source": before})
        self._ask("Page.navigate", {"url": url})
        self.wait(f"document.readyState === 'complete' && location.href.startsWith({json.dumps(url)})")

    def do(self, script: str) -> Any:
        """The value of an expression, or what its promise comes to, as if the user had asked for it."""
        result = self._ask(
            "Runtime.evaluate",
            {"expression": script, "awaitPromise": True, "returnByValue": True, "userGesture": True},
        )
        assert "exceptionDetails" not in result, f"{script}\n{result['exceptionDetails']}"
        return result["result"].get("value")

    def wait(self, script: str, within_s: float = 30.0) -> None:
        """Until the expression is true."""
        deadline = time.monotonic() + within_s
        while not self.do(f"Boolean({script})"):
            said = self.do("document.body?.innerText")
            assert time.monotonic() < deadline, f"not within {within_s} s: {script}\n{said}\n{self.output}"
            time.sleep(_POLL_S)

    def fill(self, selector: str, text: str) -> None:
        """Type into a field."""
        self.do(f"document.querySelector({json.dumps(selector)}).value = {json.dumps(text)}")

    def press(self, selector: str) -> None:
        """Press a button."""
        self.do(f"document.querySelector({json.dumps(selector)}).click()")

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")[-4000:]

    # ------------------------------------------------------------ the pipe

    def _ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        number = next(self._ids)
        message = {"id": number, "method": method, "params": params or {}}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        with self._news:
            there = self._news.wait_for(lambda: number in self._replies, _ANSWER_S)
            assert there, f"no answer to {method}\n{self.output}"
            reply = self._replies.pop(number)
        assert "error" not in reply, f"{method}: {reply['error']}"
        result: dict[str, Any] = reply["result"]
        return result

    def _read(self) -> None:
        for message in self._messages():
            if "id" in message:
                with self._news:
                    self._replies[message["id"]] = message
                    self._news.notify_all()

    def _messages(self) -> Iterator[dict[str, Any]]:
        waiting = b""
        while data := os.read(self._answers, 65_536):
            *whole, waiting = (waiting + data).split(b"\0")
            yield from map(json.loads, whole)

    # ------------------------------------------------------------ life

    def kill(self) -> None:
        """All its processes at once: it has no time to say goodbye to anybody."""
        for pid in (*descendants(self._popen.pid), self._popen.pid):
            if alive([pid]):
                os.kill(pid, signal.SIGKILL)
        self._popen.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._commands)  # the end of its orders is its end
        try:
            self._popen.wait(_CLOSE_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._reader.join()
        os.close(self._answers)
