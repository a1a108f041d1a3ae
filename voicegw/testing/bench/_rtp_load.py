"""A load of speech streams from one process and one socket, and the departure times of what comes back.

Talks JSON lines on standard input and output; the media bench starts it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from voicegw.rtp.srtp import SrtpKey, SrtpSender
from voicegw.testing.bench._rtp_batches import SUITE, Listener, Talkers, open_socket
from voicegw.testing.bench._speech_packets import read_packets

_SLICES: Final = 10
"""Streams begin at ten phases of the 20 ms, as those of real calls do."""


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What came back. Jitter is each packet's distance from the 20 ms grid of its own stream, in ms."""

    sent: int
    received: int
    missing: int
    jitter_p50_ms: float
    jitter_p99_ms: float
    worst_ms: float


def _evaluate(receiver: Listener, sent: int, warm_up_s: float) -> LoadResult:
    if not receiver.batches:
        return LoadResult(sent, 0, 0, 0.0, 0.0, 0.0)
    ssrc, sequence, stamp = (np.concatenate(parts) for parts in zip(*receiver.batches, strict=True))
    warm = stamp >= stamp.min() + int(warm_up_s * 1e9)
    ssrc, sequence, stamp = ssrc[warm], sequence[warm], stamp[warm]
    offsets: list[NDArray[np.float64]] = []
    missing = 0
    for source in np.unique(ssrc):
        mine = ssrc == source
        number = np.unwrap(sequence[mine].astype(np.float64), period=65536)
        if len(number) < 10:
            continue
        missing += int(number.max() - number.min()) + 1 - len(number)
        grid = (stamp[mine] - stamp.min()) / 1e6 - number * 20
        offsets.append(np.abs(grid - np.median(grid)))
    jitter = np.concatenate(offsets)
    p50, p99 = np.percentile(jitter, [50, 99])
    return LoadResult(sent, len(stamp), missing, float(p50), float(p99), float(jitter.max()))


def _generate(sock: socket.socket, order: dict[str, Any]) -> LoadResult:
    """Send for ``seconds``; the timing of the replies counts after ``warm_up_s``."""
    ports: list[int] = order["ports"]
    speech = read_packets(Path(order["speech"]))
    sealer = SrtpSender(SrtpKey(SUITE, bytes.fromhex(order["srtp"]))) if order["srtp"] else None
    sender = Talkers(
        sock.fileno(),
        ports,
        speech,
        int(len(ports) * order["speaking"]),
        sealer,
        order["payload_type"],
        order["step"],
    )
    receiver = Listener(sock.fileno())
    receiver.read()  # legs send from the moment they are configured: that was before our time
    receiver.batches.clear()
    cuts = np.linspace(0, len(ports), _SLICES + 1).astype(int)
    step = 0.02 / _SLICES
    start = time.monotonic()
    for turn in range(int(order["seconds"] / step)):
        left = start + turn * step - time.monotonic()
        if left > 0:
            time.sleep(left)
        phase = turn % _SLICES
        sender.send(int(cuts[phase]), int(cuts[phase + 1]))
        receiver.read()
    return _evaluate(receiver, sender.sent, order["warm_up_s"])


def run() -> int:
    """Print our port, read an order, carry it out, print the result; until the input ends."""
    os.sched_setaffinity(0, {int(sys.argv[1])})
    with open_socket() as sock:
        sys.stdout.write(json.dumps({"port": sock.getsockname()[1]}) + "\n")
        sys.stdout.flush()
        for line in sys.stdin:
            sys.stdout.write(json.dumps(asdict(_generate(sock, json.loads(line)))) + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(run())
