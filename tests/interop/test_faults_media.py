"""The media worker dies in mid-call, and the disk under the recorder fills up."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.interop.baresip_peer import Baresip, dial, hang_up, listen, press
from tests.interop.fault_server import MEDIA, FaultServer
from tests.interop.namespace import Namespace
from tests.interop.process import alive
from tests.interop.rtp import RtpPeer
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import read_wav, seconds_with, speech_seconds, tone

pytestmark = [pytest.mark.interop, pytest.mark.realtime]


def test_a_call_goes_on_in_the_worker_that_comes_after_a_killed_one(tmp_path: Path) -> None:
    """There is one worker: the caller hears nothing until its successor runs, and then the rest of the sentence."""
    server = FaultServer(tmp_path, expected=("media worker lost",))
    with server:
        with server.phone() as phone:
            assert phone.dial() == 200
            phone.play(tone(1000, 4))
            phone.wait_heard(lambda samples: speech_seconds(samples) >= 1, 30)
            phone.wait_played()
            (killed,) = server.kill_workers(MEDIA)
            server.wait_facts(phone, "MediaHasMoved")
            since = phone.mark()
            phone.wait_heard(lambda samples: speech_seconds(samples) >= 2, 30, since)
            phone.play(tone(2000, 2))
            phone.press("2580")
            server.wait_said(phone, "You pressed 2 5 8 0")
            phone.hang_up()
            log = server.wait_ended(phone)
        assert server.workers(MEDIA) not in ([], [killed])
    assert (log.cause, log.keys) == ("caller_hangup", "2580")
    assert log.agent_said.count("This greeting is long enough to be heard by every kind of telephone.") == 1
    assert "media worker" in log.one("RecordingHasFailed")["reason"]
    caller, agent = read_wav(Path(log.one("RecordingHasEnded")["path"]))
    assert seconds_with(caller, 2000) >= 1
    assert speech_seconds(agent) >= 2
    assert server.counters["media_worker_lost"] == 1
    (part,) = (server.home / "recordings").glob("*.part")
    with server:
        pass
    assert not part.exists()
    caller, agent = read_wav(part.with_suffix(""))
    assert seconds_with(caller, 1000) >= 1
    assert speech_seconds(agent) >= 0.5


def wait_gone(server: FaultServer, pid: int) -> None:
    """A killed process ends when it gets a processor."""
    server.wait(lambda: not alive([pid]), 30, "the end of what was killed")


def test_a_telephone_follows_its_call_into_another_worker(tmp_path: Path, namespace: Namespace) -> None:
    workers = {"media": {"workers": 2}}
    server = FaultServer(tmp_path, namespace=namespace, settings=workers, expected=("media worker lost",))
    with server, Baresip(tmp_path, namespace, tone(1000, 90)) as caller:
        caller.do([*dial(server.uri), *listen(1.5)])
        both = server.workers(MEDIA)
        assert len(both) == 2
        cores = [os.sched_getaffinity(pid) for pid in both]
        (call,) = (server.home / "calls").glob("*.jsonl")
        # Which of the two has the call is not told: the first to be killed may be the other one.
        for pid in both:
            os.kill(pid, signal.SIGKILL)
            wait_gone(server, pid)
            server.wait(lambda: len(server.workers(MEDIA)) == 2, 30, "its successor")
            caller.do(listen(1.0))
        server.wait(lambda: "MediaHasMoved" in call.read_text(), 30, "the call has moved")
        caller.do(press("1234"))
        server.wait_happened(lambda log: "You pressed 1 2 3 4" in log.agent_said, "the agent repeats the keys")
        caller.do([*listen(1.0), *hang_up()])
        log = server.call()
        successors = [os.sched_getaffinity(pid) for pid in server.workers(MEDIA)]
    assert (log.cause, log.keys) == ("caller_hangup", "1234")
    assert "You pressed 1 2 3 4" in log.agent_said
    caller_side, _ = read_wav(Path(log.one("RecordingHasEnded")["path"]))
    assert seconds_with(caller_side, 1000) >= 2, "it sends to where the call is now"
    assert speech_seconds(caller.heard()) >= 5
    assert server.counters["media_worker_lost"] == 2
    assert all(len(core) == 1 for core in [*cores, *successors])
    if len(os.sched_getaffinity(0)) > 1:
        assert cores[0] != cores[1] and successors[0] != successors[1], "each has a core to itself"


def test_a_caller_who_does_not_follow_is_hung_up_on(tmp_path: Path) -> None:
    server = FaultServer(tmp_path, expected=("media worker lost", "does not follow"))
    with server, server.phone() as phone:
        phone.follows = False
        assert phone.dial() == 200
        phone.wait_heard(lambda samples: speech_seconds(samples) >= 0.5, 30)
        server.kill_workers(MEDIA)
        invite = phone.wait_for(lambda text: text.startswith("INVITE "), 30)
        phone.send(_refusal(invite))
        bye = phone.wait_bye(30)
        assert "Reason: Q.850;cause=41" in bye
        assert server.wait_ended(phone).cause == "media_lost"


def _refusal(invite: str) -> str:
    kept = [line for line in invite.split("\r\n") if line.startswith(("Via:", "From:", "To:", "Call-ID:", "CSeq:"))]
    return "\r\n".join(["SIP/2.0 488 Not Acceptable Here", *kept, "Content-Length: 0", "", ""])


class SmallDisk(Namespace):
    """A mount namespace in which ``path`` is a file system of ``kb``, in place of a network of its own."""

    address = "127.0.0.1"

    def __init__(self, path: Path, kb: int = 64) -> None:
        self._path, self._kb = path, kb

    def __enter__(self) -> Self:
        self._path.mkdir(parents=True)
        probe = ["unshare", "--mount", "true"]
        allowed = subprocess.run(probe, check=False, stderr=subprocess.DEVNULL).returncode == 0
        self._as_user = [] if allowed else ["--user", "--map-root-user"]
        return self

    def command(self, args: list[str]) -> list[str]:
        """``args`` so that they run inside, under the pid of the command line."""
        script = f'mount -t tmpfs -o size={self._kb}k small "{self._path}" && exec "$@"'
        return ["unshare", "--mount", *self._as_user, "sh", "-c", script, "sh", *args]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The mount ends with the last process inside."""


def test_a_call_survives_a_full_disk_under_its_recording(tmp_path: Path) -> None:
    """64 kB hold two seconds of stereo; the call lasts longer and ends as calls do."""
    with SmallDisk(tmp_path / "small") as disk:
        settings = {"paths": {"recordings": str(tmp_path / "small")}, "recording": {"keep_free_mb": 0}}
        server = FaultServer(
            tmp_path, namespace=disk, settings=settings, expected=("recording failed",), fresh=True
        )
        with server:
            with server.phone() as phone:
                assert phone.dial() == 200
                (failed,) = server.wait_facts(phone, "RecordingHasFailed")
                phone.press("2580")
                server.wait_facts(phone, "CallerSpoke")
                since = phone.mark()
                phone.wait_heard(lambda samples: speech_seconds(samples) >= 1, 30, since)
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


def test_recordings_leave_a_disk_what_calls_need_of_it(tmp_path: Path) -> None:
    """Of 1,100 kB a megabyte is not for recordings: 126 kB are, four seconds of stereo. What sipp says and hears
    goes on after them, and its next call is not recorded at all."""
    with SmallDisk(tmp_path / "small", kb=1100) as disk:
        settings = {"paths": {"recordings": str(tmp_path / "small")}, "recording": {"keep_free_mb": 1}}
        server = FaultServer(
            tmp_path, namespace=disk, settings=settings, expected=("recording failed",), fresh=True
        )
        logs = []
        with server:
            for hold_s in (9, 5):
                with RtpPeer() as media:
                    values = {"rtp_port": str(media.port), "hold_ms": str(hold_s * 1000)}
                    with Sipp(tmp_path, "uac", target=server.address, values=values) as sipp:
                        media.start(("127.0.0.1", sipp.answered_port()), tone(1000, 20))
                        sipp.passed()
                    heard_s = len(media.packets) / 50
                logs.append(server.calls(len(logs) + 1)[-1])
                assert heard_s >= hold_s - 0.5 - server.lost_s
            folder = Path(f"/proc/{server.process.pid}/root{tmp_path}/small")
            (kept,) = folder.iterdir()
            caller, _agent = read_wav(kept)
    assert seconds_with(caller, 1000) >= 1.5, "what was written can be played"
    for log, recordings in zip(logs, (1, 0), strict=True):
        assert log.cause == "caller_hangup"
        assert len(log.all("RecordingHasStarted")) == recordings
        assert "of which 1 are not for recordings" in log.one("RecordingHasFailed")["reason"]
    assert server.counters["recording_failed"] == 2


def test_recordings_end_before_they_take_more_than_they_may_and_calls_go_on(tmp_path: Path) -> None:
    """The folder has room for half a second of stereo. The quota looks every five seconds: until then the first
    caller is recorded, and the second one not at all."""
    settings = {"recording": {"keep_free_mb": 0, "max_total_mb": 1}}
    server = FaultServer(tmp_path, settings=settings, expected=("recording failed",))
    folder = server.home / "recordings"
    folder.mkdir()
    (folder / "old.wav").write_bytes(bytes(984_000))
    with server, server.phone() as first, server.phone() as second:
        assert first.dial() == 200
        (stopped,) = server.wait_facts(first, "RecordingHasFailed")
        assert second.dial() == 200
        (refused,) = server.wait_facts(second, "RecordingHasFailed")
        for phone in (first, second):
            phone.press("2580")
        for phone in (first, second):
            server.wait_said(phone, "You pressed 2 5 8 0")
            phone.wait_heard(lambda samples: speech_seconds(samples) >= 1, 30)
            phone.hang_up()
            assert server.wait_ended(phone).cause == "caller_hangup"
        assert [len(server.log_of(phone).all("RecordingHasStarted")) for phone in (first, second)] == [1, 0]
    for fact in (stopped, refused):
        assert "that they may" in fact["reason"]
    assert server.counters["recording_failed"] == 2
    (kept,) = (path for path in folder.iterdir() if path.name != "old.wav")
    _caller, agent = read_wav(kept)
    assert speech_seconds(agent) >= 1, "what was written can be played"
