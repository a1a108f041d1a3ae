from __future__ import annotations

import pytest

from voicegw.sip.info_keys import InfoKey, read_info_key


@pytest.mark.parametrize(
    ("kind", "body", "key"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", InfoKey("5", 160)),
        ("application/dtmf-relay", b"Signal= *\r\nDuration= 250", InfoKey("*", 250)),
        ("Application/DTMF-Relay; charset=x", b"signal=11\r\n", InfoKey("#", 250)),
        ("application/dtmf-relay", b"Duration=100\nSignal=d", InfoKey("D", 100)),
        ("application/dtmf", b"7", InfoKey("7", 250)),
        ("application/dtmf", b"10\r\n", InfoKey("*", 250)),
        ("application/dtmf-relay", b"Signal=!\r\nDuration=160", None),
        ("application/dtmf-relay", b"Signal=16", None),
        ("application/dtmf-relay", b"Signal=\r\n", None),
        ("application/dtmf-relay", b"", None),
        ("application/dtmf", b"42", None),
        ("application/dtmf", b"Signal=5", None),
        ("text/plain", b"5", None),
    ],
)
def test_what_an_info_means(kind: str, body: bytes, key: InfoKey | None) -> None:
    assert read_info_key(kind, body) == key
