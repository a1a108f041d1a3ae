"""A real call that is recorded as Opus in Ogg, played by FFmpeg."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sipp_peer import TOLD, Sipp
from tests.interop.sound import Samples, seconds_with, speech_seconds, tone

pytestmark = [pytest.mark.interop, pytest.mark.realtime]


def heard_in(path: Path) -> tuple[Samples, Samples]:
    """Both channels at 8 kHz."""
    resampler = av.AudioResampler(format="s16p", layout="stereo", rate=8000)
    with av.open(str(path)) as container:
        decoded = [*container.decode(audio=0), None]
    pieces = [piece.to_ndarray() for frame in decoded for piece in resampler.resample(frame)]
    left, right = np.concatenate(pieces, axis=1)
    return left, right


def test_both_sides_are_in_their_channels(tmp_path: Path) -> None:
    settings = {"recording": {"format": "opus", "keep_free_mb": 1}}
    with Server(tmp_path, settings=settings) as server, RtpPeer() as media:
        values = {"rtp_port": str(media.port), "hold_ms": TOLD}
        with Sipp(tmp_path, "uac", target=server.address, values=values) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), tone(1000, 5))
            media.wait_sent(5)
            media.wait_heard(lambda heard: speech_seconds(heard) >= 2)
            sipp.tell()
            sipp.passed()
        log = server.call()
    path = Path(log.one("RecordingHasEnded")["path"])
    assert path.suffix == ".opus"
    assert log.one("RecordingHasStarted")["path"] == str(path)
    caller, agent = heard_in(path)
    assert seconds_with(caller, 1000) >= 2
    assert speech_seconds(agent) >= 1.5
    assert seconds_with(agent, 1000) == 0
