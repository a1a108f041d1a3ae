"""rtpengine between a telephone and the server: SRTP on our side, plain RTP on the other, and another codec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.interop.rtpengine_peer import ProxiedPhone, Rtpengine
from tests.interop.server import Server
from tests.interop.sound import seconds_with, speech_seconds, tone

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

SDES = {"transport-protocol": "RTP/SAVP", "DTLS": "off"}
TO_A_LAW = {"codec": {"mask": ["PCMU"], "transcode": ["PCMA"]}}


@pytest.mark.parametrize(
    ("outside", "encrypted"),
    [(SDES, True), (SDES | TO_A_LAW, True), (TO_A_LAW, False)],
    ids=["srtp", "srtp and a-law", "a-law"],
)
def test_each_side_hears_the_other(tmp_path: Path, outside: dict[str, Any], encrypted: bool) -> None:
    settings = {"sip": {"srtp_in_clear": True}}
    with (
        Server(tmp_path, settings=settings) as server,
        Rtpengine(tmp_path) as proxy,
        ProxiedPhone((server.host, server.port), proxy, **outside) as phone,
    ):
        assert phone.dial() == 200
        phone.play(tone(1000, 60))
        server.wait_recorded(lambda caller, _agent: seconds_with(caller, 1000) >= 3)
        phone.wait_heard(lambda heard: speech_seconds(heard) >= 1.5, 30)
        phone.hang_up()
        log = server.call()
        caller, _agent = server.recording(log)
    assert seconds_with(caller, 1000) >= 3
    assert bool(log.one("MediaWasMeasured")["srtp"]) is encrypted
    assert log.one("MediaWasMeasured")["packets_lost"] == 0
