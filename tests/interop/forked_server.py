"""``voicegw serve`` as a fork of a process that has imported the server already.

A fresh interpreter spends three seconds of CPU on the imports of a server, and a run starts hundreds of servers. A
fork carries out the same command from its first line on; a test of the installed command asks for a ``fresh`` one.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from multiprocessing import forkserver
from pathlib import Path

from tests.interop.forked_workers import MODULES, fork_workers
from tests.interop.namespace import Inside, Namespace
from tests.interop.process import Process
from voicegw.cli.main import main

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        __name__,
        "voicegw.cli.serve",
        "voicegw.server_admin",
        "voicegw.inference.asr.pocketsphinx",
        "voicegw.inference.tts.espeak",
        "voicegw.inference.tts.flite",
        "sqlalchemy.dialects.sqlite.aiosqlite",
        "voicegw.storage.migrate",
        *MODULES,
        "tests.interop.api_client",
        "tests.interop.far_phone",
        "tests.interop.warm_server",
    ]
)


def get_ready() -> None:
    """Begin with the imports, in their process, before the first server asks for them."""
    forkserver.ensure_running()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a fork runs."""

    cwd: Path
    log: Path
    environ: dict[str, str]
    inside: Inside | None = None
    errors: Path | None = None
    """Its standard error, if that is not to go to the log as well."""
    stdin: Path = Path(os.devnull)


class ForkedServer(Process):
    """``voicegw ARGS``, with the face of any other program that a test starts."""

    def __init__(self, args: list[str], log: Path, *, namespace: Namespace | None, cwd: Path) -> None:
        self.args = ["voicegw", *args]
        self.log = log
        log.touch()
        self._popen = _Fork(args, _Place(cwd, log, dict(os.environ), namespace.inside if namespace else None))


def run_forked(args: list[str], cwd: Path, *, stdin: Path, within_s: float) -> subprocess.CompletedProcess[str]:
    """``voicegw ARGS`` from its start to its end; raises :class:`subprocess.TimeoutExpired`."""
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder) / "output", Path(folder) / "errors"
        fork = _Fork(args, _Place(cwd, output, dict(os.environ), errors=errors, stdin=stdin))
        try:
            status = fork.wait(within_s)
        except subprocess.TimeoutExpired:
            fork.kill()
            raise
        return subprocess.CompletedProcess(args, status, output.read_text(), errors.read_text())


class _Fork:
    """What :class:`Process` asks of a child."""

    def __init__(self, args: list[str], place: _Place) -> None:
        self._args = args
        self._process = FORKS.Process(target=_run, args=(args, place))
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired(self._args, timeout or 0.0)
        return status

    def send_signal(self, sig: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _run(args: list[str], place: _Place) -> None:
    """In the fork: become what a shell would have started."""
    os.setsid()
    os.chdir(place.cwd)
    os.environ.clear()
    os.environ.update(place.environ)
    errors = place.errors or place.log
    with place.stdin.open("rb") as given, place.log.open("ab") as output, errors.open("ab") as complaints:
        os.dup2(given.fileno(), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(complaints.fileno(), 2)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for as long as the process lives
    if place.inside is not None:
        place.inside.join()
    if args[0] == "serve":
        from tests.interop.warm_server import lay_out_store  # loaded in the process that forks, and only there

        lay_out_store(place.cwd)
    fork_workers()
    sys.exit(main(args))
