"""Our own softphone (``voicegw call``) calls peers: the calling side of the stack against programs of others.

It lets the far end finish, plays its file, listens for a while and hangs up; its recording is far end left, itself
right.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.interop.baresip_peer import Baresip
from tests.interop.namespace import Namespace
from tests.interop.process import Process
from tests.interop.pyvoip_peer import PyVoip
from tests.interop.sound import Samples, read_wav, seconds_with, silence, speech, speech_seconds, tone, write_wav

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

_CALL_S = 50.0


def far_end(folder: Path) -> Samples:
    """Somebody who says who they are, and then listens."""
    return np.concatenate([speech("Hello, you have reached the workshop. What can we do?", folder), silence(50)])


def dial(work: Path, uri: str, namespace: Namespace | None = None) -> Process:
    write_wav(work / "tone.wav", tone(1000, 6))
    args = [str(Path(sys.prefix) / "bin" / "voicegw"), "call", uri, "--no-transcript"]
    args += ["--wav", str(work / "tone.wav"), "--record", str(work / "call.wav")]
    return Process(args, work / "phone.log", namespace=namespace, cwd=work)


def check_recording(path: Path) -> None:
    theirs, ours = read_wav(path)
    assert speech_seconds(theirs) >= 1.5
    assert seconds_with(theirs, 1000) == 0
    assert seconds_with(ours, 1000) >= 5.5
    assert speech_seconds(ours) <= 0.2  # where the tone begins and ends


@pytest.mark.long
def test_softphone_calls_baresip(tmp_path: Path, namespace: Namespace) -> None:
    with Baresip(tmp_path, namespace, far_end(tmp_path)) as baresip:
        baresip.do([])
        with dial(tmp_path, f"sip:bare@{namespace.address}:{baresip.port}", namespace) as call:
            assert call.wait(_CALL_S) == 0, call.output
        assert seconds_with(baresip.heard(), 1000) >= 4.5
    check_recording(tmp_path / "call.wav")


@pytest.mark.long
def test_softphone_calls_pyvoip(tmp_path: Path) -> None:
    with PyVoip(tmp_path, "answer", ("127.0.0.1", 9), far_end(tmp_path), seconds=_CALL_S) as pyvoip:
        pyvoip.ready()
        with dial(tmp_path, f"sip:pyvoip@127.0.0.1:{pyvoip.port}") as call:
            assert call.wait(_CALL_S) == 0, call.output
        assert pyvoip.result() == {"answered": True, "ended_by_peer": True}
    assert seconds_with(pyvoip.heard(), 1000) >= 4.5
    check_recording(tmp_path / "call.wav")
