"""The media worker dies in mid-call, and the disk under the recorder fills up."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.interop.fault_server import MEDIA, FaultServer
from tests.interop.namespace import Namespace
from tests.interop.sound import read_wav, seconds_with, speech_seconds, tone

pytestmark = [pytest.mark.interop, pytest.mark.realtime]


def test_a_killed_media_worker_ends_its_calls_and_no_more(tmp_path: Path) -> None:
    server = FaultServer(tmp_path, expected=("media worker lost",))
    with server:
        with server.phone() as phone:
            assert phone.dial() == 200
            phone.play(tone(1000, 3))
            phone.wait_heard(lambda samples: speech_seconds(samples) >= 1, 10)
            phone.wait_played()
            (killed,) = server.kill_workers(MEDIA)
            at = time.monotonic()
            bye = phone.wait_bye(3)
            assert phone.bye_at is not None and phone.bye_at - at <= 1.0
            assert "Reason: Q.850;cause=41" in bye
            log = server.wait_ended(phone)
        assert log.cause == "media_lost"
        assert "media worker" in log.one("RecordingHasFailed")["reason"]
        server.wait(lambda: server.workers(MEDIA) not in ([], [killed]), 10, "another media worker")
        _wait_answered(server)
    assert server.counters["media_worker_lost"] == 1
    (part,) = (server.home / "recordings").glob("*.part")
    with server:
        pass
    assert not part.exists()
    caller, agent = read_wav(part.with_suffix(""))
    assert seconds_with(caller, 1000) >= 1
    assert speech_seconds(agent) >= 0.5


def _wait_answered(server: FaultServer) -> None:
    """The next calls: refused with 503 for as long as the new worker loads, then answered, with sound."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with server.phone() as phone:
            status = phone.dial()
            if status == 200:
                phone.wait_heard(lambda samples: speech_seconds(samples) >= 0.5, 10)
                return
            assert status == 503
            assert any("Retry-After: " in text for text in phone.messages)
        server.wait_ended(phone)
    raise AssertionError("no call was answered after the media worker was replaced")


class SmallDisk(Namespace):
    """A mount namespace in which ``path`` is a file system of 64 kB, in place of a network of its own."""

    address = "127.0.0.1"

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        self._path.mkdir(parents=True)
        probe = ["unshare", "--mount", "true"]
        allowed = subprocess.run(probe, check=False, stderr=subprocess.DEVNULL).returncode == 0
        self._as_user = [] if allowed else ["--user", "--map-root-user"]
        return self

    def command(self, args: list[str]) -> list[str]:
        """``args`` so that they run inside, under the pid of the command line."""
        script = f'mount -t tmpfs -o size=64k small "{self._path}" && exec "$@"'
        return ["unshare", "--mount", *self._as_user, "sh", "-c", script, "sh", *args]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The mount ends with the last process inside."""


def test_a_call_survives_a_full_disk_under_its_recording(tmp_path: Path) -> None:
    """64 kB hold two seconds of stereo; the call lasts longer and ends as calls do."""
    with SmallDisk(tmp_path / "small") as disk:
        settings = {"paths": {"recordings": str(tmp_path / "small")}}
        server = FaultServer(tmp_path, namespace=disk, settings=settings, expected=("recording failed",))
        with server:
            with server.phone() as phone:
                assert phone.dial() == 200
                (failed,) = server.wait_facts(phone, "RecordingHasFailed")
                phone.press("2580")
                server.wait_facts(phone, "CallerSpoke")
                since = phone.mark()
                phone.wait_heard(lambda samples: speech_seconds(samples) >= 1, 10, since)
                phone.hang_up()
                log = server.wait_ended(phone)
            complaint = server.wait_logged("recording failed, the call goes on")
    assert "No space left on device" in failed["reason"]
    assert complaint["level"] == "error"
    assert complaint["call_id"]
    assert log.cause == "caller_hangup"
    assert log.keys == "2580"
    assert server.counters["recording_failed"] == 1
    assert not log.all("RecordingHasEnded")
