"""Linphone's console telephone without a sound card: plays a WAV file, records another, and offers video.

It takes one command a line. Its media core refuses loopback, so it lives in a :class:`Namespace`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
import wave
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from tests.interop.namespace import Namespace
from tests.interop.sound import RATE_HZ, Samples, write_wav
from voicegw.testing.ports import free_port, free_ports

_CONFIG = """\
[sip]
sip_port={port}
sip_tcp_port={port}
guess_hostname=0
contact="Linphone" <sip:linphone@{host}>
default_proxy={proxy}
[rtp]
audio_rtp_port={rtp}
video_rtp_port={video}
[sound]
echocancellation=0
[video]
capture=1
display=0
automatically_initiate=1
automatically_accept=1
{account}"""
_ACCOUNT = """\
[proxy_0]
reg_proxy=<sip:{registrar}>
reg_identity="{user}" <sip:{user}@{domain}>
reg_expires=60
reg_sendregister=1
[auth_info_0]
username={user}
passwd={secret}
realm={domain}
"""
_STOP_S = 30.0
_POLL_S = 0.02


class Linphone:
    """One telephone. ``account`` is (user, domain, password, registrar's HOST:PORT); it then registers at once.

    ``answers``: whether it takes calls by itself.
    """

    def __init__(
        self,
        work: Path,
        namespace: Namespace,
        speech: Samples,
        *,
        account: tuple[str, str, str, str] | None = None,
        answers: bool = False,
    ) -> None:
        self._home = work / f"linphone-{free_port()}"
        (self._home / ".local/share/linphone").mkdir(parents=True)
        names = ("user", "domain", "secret", "registrar")
        known = _ACCOUNT.format(**dict(zip(names, account, strict=True))) if account else ""
        config = _CONFIG.format(
            host=namespace.address,
            port=free_port(),
            rtp=(rtp := free_ports(4)),
            video=rtp + 2,
            proxy=0 if account else -1,
            account=known,
        )
        (self._home / "rc").write_text(config)
        write_wav(self._home / "speech.wav", speech)
        program = shutil.which("linphonec")
        assert program, "linphonec is missing: scripts/test installs it (Debian package linphone-cli)"
        args = [program, "-c", "rc", "-C", "-d", "3", "-l", "log", *(["-a"] if answers else [])]
        with (self._home / "screen").open("wb") as screen:
            self._process = subprocess.Popen(
                namespace.command(args),
                stdin=subprocess.PIPE,
                stdout=screen,
                stderr=subprocess.STDOUT,
                env=os.environ | {"HOME": str(self._home)},
                cwd=self._home,
            )
        for command in ("soundcard use files", "play speech.wav", "record heard.wav"):
            self.do(command)

    def do(self, command: str, says: str = "", within_s: float = 30.0) -> None:
        """Type a command and wait until it ``says`` this, a pattern, once more than before."""
        before = len(re.findall(says, self.screen)) if says else 0
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n".encode())
        self._process.stdin.flush()
        if says:
            self.wait_for(says, before + 1, within_s)

    def wait_for(self, says: str, times: int = 1, within_s: float = 30.0) -> None:
        """Until this pattern is on its screen so often."""
        self._wait(lambda: len(re.findall(says, self.screen)) >= times, within_s)

    def wait_registered(self, within_s: float = 30.0) -> None:
        """Until its account is registered, of which the screen says nothing."""
        self._wait(lambda: "to [LinphoneRegistrationOk]" in self.log, within_s)

    def _wait(self, done: Callable[[], bool], within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while not done():
            assert self._process.poll() is None and time.monotonic() < deadline, f"{self.log}\n{self.screen}"
            time.sleep(_POLL_S)

    @property
    def screen(self) -> str:
        """All it has written."""
        return (self._home / "screen").read_text(errors="replace")

    @property
    def log(self) -> str:
        """What it has noted, with every message."""
        file = self._home / "log"
        return file.read_text(errors="replace") if file.exists() else ""

    def descriptions(self) -> list[str]:
        """All that it sent or received, in order."""
        return re.findall(r"^v=0\s.*?(?=^\s*$)", self.log, re.MULTILINE | re.DOTALL)

    def heard(self) -> Samples:
        """All that came out of its decoder, once it has ended."""
        return read_as_telephone(self._home / "heard.wav")[0]

    def quit(self) -> None:
        """End what is going on, unregister and stop."""
        self.do("quit")
        assert self._process.wait(_STOP_S) == 0, self.screen

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()


def read_as_telephone(path: Path) -> list[Samples]:
    """The channels of a WAV file of 8, 16 or 48 kHz at 8 kHz: sound of Opus, for ears that know the telephone's."""
    with wave.open(str(path), "rb") as file:
        channels, factor = file.getnchannels(), file.getframerate() // RATE_HZ
        assert factor * RATE_HZ == file.getframerate(), file.getparams()
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    whole = len(samples) // (factor * channels) * factor * channels  # Linphone's header promises some samples more
    means = samples[:whole].reshape(-1, factor, channels).mean(axis=1).astype(np.int16)
    return [means[:, channel] for channel in range(channels)]
