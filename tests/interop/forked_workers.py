"""The workers of a forked server as forks of it: what they import and load is there already.

In a fresh interpreter they spend a second of CPU on imports at every start of a server. What production does is
tested by the servers that a test asks to be ``fresh``, and by the tests of the workers themselves.
"""

from __future__ import annotations

import gc
import logging
import os
import runpy
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

MODULES: Final = (
    "voicegw.server_media",
    "voicegw.inference.asr.pocketsphinx_worker",
    "voicegw.inference.tts.espeak_worker",
    "voicegw.inference.tts.flite_worker",
)
"""Those that every server starts, to be imported before it is forked."""
_NAME_CHARACTERS: Final = 15
"""What the kernel keeps of a thread's name."""
_popen = subprocess.Popen


def fork_workers() -> None:
    """From here on this process forks where it would start ``python -m`` one of :data:`MODULES`."""
    subprocess.Popen = _start  # type: ignore[misc,assignment]


def name_of(module: str) -> str:
    """What the fork that runs this module is called in /proc."""
    return module.removeprefix("voicegw.")[:_NAME_CHARACTERS]


def _start(args: Sequence[str], *, env: Mapping[str, str] | None = None, **options: Any) -> Any:
    if list(args[:2]) != [sys.executable, "-m"] or args[2] not in MODULES:
        return _popen(args, env=env, **options)
    module, *arguments = args[2:]
    return _Fork(module, arguments, options["pass_fds"], env, apart=options.get("start_new_session", False))


class _Fork:
    """What asyncio and the media client ask of a :class:`subprocess.Popen` that has no pipes."""

    stdin = stdout = stderr = None

    def __init__(
        self,
        module: str,
        arguments: list[str],
        keep: Sequence[int],
        env: Mapping[str, str] | None,
        *,
        apart: bool,
    ) -> None:
        self.args = [module, *arguments]
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            if apart:
                os.setsid()
            _become(module, arguments, keep, os.environ if env is None else env)

    def poll(self) -> int | None:
        """The exit status, if it has ended."""
        return self._reap(os.WNOHANG)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        if self.returncode is None:
            ended = os.pidfd_open(self.pid)
            try:
                if not select.select([ended], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            finally:
                os.close(ended)
        status = self._reap(0)
        assert status is not None
        return status

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _reap(self, flags: int) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, flags)
            except ChildProcessError:  # asyncio's watcher has waited for it, and is about to say so
                pid, status = self.pid, 0
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def _become(module: str, arguments: list[str], keep: Sequence[int], env: Mapping[str, str]) -> NoReturn:
    """In the fork: become what an interpreter of its own would be, and end with its status."""
    status = 1
    try:
        gc.freeze()  # nothing of the gateway may be collected here: what it has open is somebody else's by then
        _forget_the_gateway(keep)
        os.environ.clear()
        os.environ.update(env)
        Path("/proc/self/comm").write_text(name_of(module))
        sys.argv = [module, *arguments]
        sys.modules.pop(module, None)
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _forget_the_gateway(keep: Sequence[int]) -> None:
    """Its descriptors, signal handlers and log."""
    signal.set_wakeup_fd(-1)
    for known in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(known, signal.SIG_DFL)
    logging.root.handlers.clear()
    logging.root.setLevel(logging.WARNING)
    first = 3
    for number in [*sorted(keep), os.sysconf("SC_OPEN_MAX")]:
        os.closerange(first, number)
        first = number + 1
