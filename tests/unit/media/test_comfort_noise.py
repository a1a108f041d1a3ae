from __future__ import annotations

import numpy as np
import pytest

from tests.unit.media.rig import Rig, tone
from tests.unit.media.wide_phones import G722Phone, tone16
from voicegw.audio.levels import level_dbov
from voicegw.media import messages as m

BOTH_WAYS = (("caller", "agent_ear"), ("agent", "caller"))


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("level", [40, 60, 127])
def test_silence_sounds_as_the_peer_says(level: int, wide: bool) -> None:
    rig = Rig()
    phone = G722Phone(rig, "caller") if wide else rig.open("caller")
    peer = phone.peer if isinstance(phone, G722Phone) else phone
    rig.mix(*BOTH_WAYS)
    for tick in range(150):
        if not 50 <= tick < 100:
            phone.say(tone16(440, 320, 320 * tick) if wide else tone(440, 160, start=160 * tick))
        else:
            if tick in (50, 75):
                peer.send_raw(peer.packet(bytes([level]), 13).to_bytes())
            peer.timestamp = (peer.timestamp + 160) & 0xFFFFFFFF
        rig.tick()
    pieces = [piece for batch in rig.of(m.AudioBatch) for piece in batch.frames]
    frames = np.frombuffer(b"".join(piece.pcm for piece in pieces), "<i2").reshape(-1, 320 if wide else 160)
    levels = level_dbov(frames)
    assert levels[54:100].max() < -level + 3
    if level < 100:
        assert levels[54:100].min() > -level - 3
    assert levels[105:].min() > -20  # and speech goes on
    rig.do(m.CloseLeg(peer.leg_id))
    assert rig.of(m.LegClosed)[0].stats.packets_lost == 0


def test_an_empty_packet_of_noise_says_nothing() -> None:
    rig = Rig()
    peer = rig.open("caller")
    peer.send_raw(peer.packet(b"", 13).to_bytes())
    rig.tick(3)
    assert not rig.engine._bank.noise.on
