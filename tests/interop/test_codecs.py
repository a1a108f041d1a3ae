"""baresip with each codec: what it says is recorded, and what it is told is heard, in the band of that codec."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.interop.baresip_peer import Baresip, dial, hang_up, listen
from tests.interop.namespace import Namespace
from tests.interop.server import Server
from tests.interop.sound import Samples, read_any_wav, share_above, speech_seconds

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

TALK_S = 8.0
HEARD_S = 3.0
"""At the least, of what is said meanwhile."""
WIDE_HZ = 6000
NARROW_HZ = 1000


@dataclass(frozen=True, slots=True)
class Kind:
    """A codec as baresip names it. ``rate_hz``: of its audio there; ``call_hz``: of the recording here."""

    module: str
    account: str
    rate_hz: int
    tone_hz: int
    call_hz: int


KINDS = {
    "pcma": Kind("g711", "PCMA/8000/1", 8000, NARROW_HZ, 8000),
    "g722": Kind("g722", "G722/16000/1", 16000, WIDE_HZ, 16000),
    "opus": Kind("opus", "opus/48000/2", 48000, WIDE_HZ, 16000),
}


def sine(hz: float, seconds: float, rate_hz: int) -> Samples:
    return np.rint(8000 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)).astype(np.int16)


def seconds_near(samples: Samples, hz: float, rate_hz: int) -> float:
    """How many seconds have most of their energy within 100 Hz of a frequency."""
    block = rate_hz // 10
    blocks = samples[: len(samples) // block * block].reshape(-1, block).astype(np.float64)
    power = np.abs(np.fft.rfft(blocks * np.hanning(block), axis=1)) ** 2
    near = power[:, np.abs(np.fft.rfftfreq(block, 1 / rate_hz) - hz) <= 100].sum(axis=1)
    return 0.1 * int(np.count_nonzero((near > 0.6 * power.sum(axis=1)) & (near > 1e6 * block)))


def test_each_codec_is_heard_both_ways_in_its_own_band(tmp_path: Path, namespace: Namespace) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(Server(tmp_path, namespace=namespace))
        phones = {
            name: stack.enter_context(
                Baresip(
                    tmp_path,
                    namespace,
                    sine(kind.tone_hz, 60, kind.rate_hz),
                    codec=kind.module,
                    account=f"<sip:{name}@{namespace.address}>;regint=0;audio_codecs={kind.account}",
                    rate_hz=kind.rate_hz,
                )
            )
            for name, kind in KINDS.items()
        }
        steps = [*dial(server.uri), *listen(TALK_S), *hang_up()]
        with ThreadPoolExecutor(len(phones)) as hands:
            list(hands.map(lambda phone: phone.do(steps), phones.values()))
        logs = {log.one("CallWasOffered")["calling"]: log for log in server.calls(len(phones))}
        for name, kind in KINDS.items():
            (caller, agent), rate_hz = read_any_wav(Path(logs[name].one("RecordingHasEnded")["path"]))
            assert rate_hz == kind.call_hz
            assert seconds_near(caller, kind.tone_hz, rate_hz) >= HEARD_S
            heard, heard_hz = phones[name].heard_wide()
            assert heard_hz == kind.rate_hz
            for sound, hz in ((agent, rate_hz), (heard, heard_hz)):
                assert speech_seconds(sound[:: hz // 8000]) >= 1.0, name
                # What was brought up from 8 kHz has less than a millionth of its energy there.
                assert (share_above(sound, 4200, hz) > 0.0003) == (kind.call_hz > 8000), name
