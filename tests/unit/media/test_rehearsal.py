"""The rehearsal runs a real leg, hears speech on it, and leaves nothing behind."""

from __future__ import annotations

import os
import socket

import numpy as np
from numpy.typing import NDArray

from voicegw.base.clock import SystemClock
from voicegw.media.config import MediaConfig
from voicegw.media.engine import MediaEngine
from voicegw.media.rehearsal import rehearse
from voicegw.media.sockets import UdpNetwork

PORTS = (47300, 47303)


class CountingVad:
    """Counts the windows it is asked about."""

    window_samples = 256

    def __init__(self) -> None:
        self.windows = 0

    def probabilities(self, rows: NDArray[np.intp], windows: NDArray[np.float32]) -> NDArray[np.float32]:
        self.windows += len(rows)
        return np.full(len(rows), 0.9, np.float32)

    def reset(self, row: int) -> None:
        pass


class NoRecorder:
    """Nothing is recorded in a rehearsal."""

    def __getattr__(self, name: str) -> object:
        return lambda *_args: []


def test_every_path_is_walked_and_every_port_returned() -> None:
    vad = CountingVad()
    config = MediaConfig(port_low=PORTS[0], port_high=PORTS[1], max_legs=1)
    engine = MediaEngine(config, UdpNetwork(), SystemClock(), os.urandom, NoRecorder(), vad)  # type: ignore[arg-type]
    rehearse(engine, 100.0)
    assert vad.windows > 5
    for port in range(PORTS[0], PORTS[1] + 1):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", port))
