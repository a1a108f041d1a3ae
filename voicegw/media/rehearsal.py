"""A short call to ourselves before the first real one.

The first tick with a leg imports, allocates and compiles what every later tick only uses (numpy loads parts of
itself on first use, and so does its linear algebra): some hundred milliseconds of the first caller's audio.
"""

from __future__ import annotations

import socket
from typing import Final

import numpy as np

from voicegw.audio.g711 import Law, encode
from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.media.config import FRAME_S, FRAME_SAMPLES
from voicegw.media.engine import MediaEngine
from voicegw.media.messages import (
    CloseLeg,
    ConfigureLeg,
    LegOpened,
    OpenLeg,
    PausePlayout,
    QueueAudio,
    ResumePlayout,
    SendDtmf,
    SetMix,
)

_LEG: Final = LegId("rehearsal")
_CALL: Final = CallId("rehearsal")
_TICKS: Final = 25
_LOST_TICK: Final = 12
"""One packet is left out, so that concealment is rehearsed too."""


def rehearse(engine: MediaEngine, now: float) -> None:
    """Run half a second of a call through ``engine``, which is thrown away afterwards; takes no real time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.setblocking(False)
        engine.handle(OpenLeg(_LEG, _CALL, "127.0.0.1"), now)
        port = next((event.port for event in engine.take_events() if isinstance(event, LegOpened)), None)
        if port is not None:
            _converse(engine, peer, port, now)
            engine.handle(CloseLeg(_LEG), now)
        engine.tick(now)
        engine.take_events()
    engine.close()


def _converse(engine: MediaEngine, peer: socket.socket, port: int, now: float) -> None:
    engine.handle(SetMix(_CALL, ((_LEG, "agent_ear", 1.0), ("agent", _LEG, 1.0))), now)
    engine.handle(ConfigureLeg(_LEG, "127.0.0.1", peer.getsockname()[1], "PCMU", 0, dtmf_payload_type=101), now)
    engine.handle(QueueAudio(_CALL, UtteranceId("rehearsal"), bytes(2 * _TICKS * FRAME_SAMPLES), final=True), now)
    loud = encode((np.sin(np.arange(FRAME_SAMPLES) / 3) * 12_000).astype(np.int16), Law.ULAW).tobytes()
    for number in range(_TICKS):
        if number != _LOST_TICK:
            header = b"\x80\x00" + number.to_bytes(2, "big") + (number * FRAME_SAMPLES).to_bytes(4, "big") + b"vgw0"
            peer.sendto(header + loud, ("127.0.0.1", port))
        if number == _TICKS // 2:
            engine.handle(PausePlayout(_CALL), now)
            engine.handle(ResumePlayout(_CALL), now)
            engine.handle(SendDtmf(_LEG, "1"), now)
        engine.tick(now + number * FRAME_S)
        engine.take_events()
