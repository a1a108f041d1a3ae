"""RTCP with programs that we did not write: what they say of our audio is in the call's record, with its MOS."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.interop.baresip_peer import Baresip, dial, hang_up, listen
from tests.interop.fault_server import FaultServer
from tests.interop.namespace import Namespace
from tests.interop.rtpengine_peer import ProxiedPhone, Rtpengine
from tests.interop.sound import read_wav, seconds_with, speech_seconds, tone
from voicegw.rtp.stats import mos
from voicegw.testing.impairment import Impairment
from voicegw.testing.impairment_relay import ImpairmentRelay
from voicegw.testing.ports import free_ports

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

SETTINGS = {"media": {"rtcp_interval_ms": 400}}
"""The peers report every five to seven seconds; their first report is to answer one of ours."""
PLACES = {"separate": "rtcp_mux no", "shared": "rtcp_mux yes"}
"""Who calls, and what baresip is told about the ports."""
SUMMARY = "module_app rtcpsummary.so"
"""At the end of a call baresip writes what it knows from RTCP: from its own, and from ours."""
SHARED = "RTP/RTCP multiplexing enabled"
"""What baresip writes when both sides want it (RFC 5761)."""
STRAY = "drop incoming RTCP packet on RTP port"
"""And when our reports come where it does not want them."""
LOSS = 0.15
DELAY_MS = (20, 400)
"""Of one way, whatever the jitter buffer thinks of this machine."""


def test_a_phone_reports_on_a_port_of_its_own_and_on_that_of_the_audio(
    tmp_path: Path, namespace: Namespace
) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(FaultServer(tmp_path, namespace=namespace, settings=SETTINGS))
        phones = {
            name: stack.enter_context(
                Baresip(
                    tmp_path,
                    namespace,
                    tone(1000, 60),
                    account=f"<sip:{name}@{namespace.address}>;regint=0",
                    settings=f"{setting}\n{SUMMARY}",
                )
            )
            for name, setting in PLACES.items()
        }
        with ThreadPoolExecutor(len(phones)) as hands:
            list(hands.map(lambda phone: phone.do(dial(server.uri)), phones.values()))
            server.wait(lambda: {*PLACES} <= {*reported(server)}, 60, "both phones say what they hear")
            list(hands.map(lambda phone: phone.do([*listen(2), *hang_up()]), phones.values()))
        for name, phone in phones.items():
            (log,) = server.calls_of(name)
            check_summary(server, phone)
            assert (SHARED in phone.process.output) is (name == "shared")
            assert STRAY not in phone.process.output
            measured = log.one("MediaWasMeasured")
            assert 0 <= measured["round_trip_ms"] < 5000, name
            assert 0 <= measured["peer_lost"] <= 2, name
            assert measured["peer_jitter_ms"] >= 0, name
            assert mos(0.01, DELAY_MS[1]) <= measured["peer_mos"] <= mos(0.0, DELAY_MS[0]), name
            caller, _agent = read_wav(Path(log.one("RecordingHasEnded")["path"]))
            assert seconds_with(caller, 1000) >= 3, name
            assert speech_seconds(phone.heard()) >= 1, name


def test_what_a_network_takes_of_our_audio_is_in_the_record(tmp_path: Path) -> None:
    """Between rtpengine and the server audio is lost both ways; reports go past the relay."""
    with (
        FaultServer(tmp_path, settings=SETTINGS) as server,
        Rtpengine(tmp_path) as proxy,
        FarPhone((server.host, server.port), proxy) as phone,
    ):
        assert phone.dial() == 200
        phone.play(tone(1000, 5))
        server.wait(lambda: "raw" in reported(server), 60, "rtpengine says what it hears")
        phone.hang_up()
        log = server.wait_ended(phone)
        lost, heard = phone.lost, phone.heard()
    measured = log.one("MediaWasMeasured")
    assert 0 <= measured["round_trip_ms"] < 5000
    assert 20 <= measured["peer_lost"] <= lost, "of the first 250 packets or more, and of both directions"
    assert 20 <= measured["packets_lost"] <= lost
    assert measured["peer_jitter_ms"] >= 0
    assert mos(2 * LOSS, DELAY_MS[1]) <= measured["peer_mos"] <= mos(LOSS / 3, DELAY_MS[0])
    caller, _agent = read_wav(Path(log.one("RecordingHasEnded")["path"]))
    assert seconds_with(caller, 1000) >= 2
    assert speech_seconds(heard) >= 1


class FarPhone(ProxiedPhone):
    """A telephone behind rtpengine, which makes reports, and a bad network between that and the server."""

    def __init__(self, server: tuple[str, int], proxy: Rtpengine) -> None:
        super().__init__(server, proxy, flags=["generate RTCP"])
        self._relay: ImpairmentRelay | None = None

    @property
    def lost(self) -> int:
        """Packets of both directions that the network has taken away."""
        assert self._relay is not None
        return self._relay.lost

    def sdp(self) -> str:
        """What rtpengine offers, with its audio behind the relay."""
        offer = super().sdp()
        target = (self.server[0], audio_port(offer))
        self._relay = ImpairmentRelay((target[0], free_ports(2)), target, Impairment(loss=LOSS), seed=6)
        self._relay.__enter__()
        return with_audio_port(offer, self._relay.port)

    def _place_in(self, text: str) -> tuple[str, int]:
        """Where rtpengine takes our audio. Its own it sends to the relay, and its reports to the server itself."""
        assert self._relay is not None
        reports = f"a=rtcp:{audio_port(text) + 1}\r\n"
        return super()._place_in(with_audio_port(text, self._relay.far_port) + reports)

    def close(self) -> None:
        super().close()
        if self._relay is not None:
            self._relay.__exit__(None, None, None)


def check_summary(server: FaultServer, phone: Baresip) -> None:
    """Packets that were sent, lost on the way in and out, and milliseconds there and back, as baresip has it."""
    server.wait(lambda: "EX=BareSip" in phone.process.output, 30, "what it knows from RTCP")
    told = r"PS=(\d+);PL=(-?\d+),(-?\d+);.*;DL=([\d.]+);"
    sent, lost_in, lost_out, delay_ms = found_in(told, phone.process.output)
    assert sent >= 250
    assert abs(lost_in) <= 2 and abs(lost_out) <= 2
    assert 0 <= delay_ms < 5000


def found_in(pattern: str, text: str) -> list[float]:
    found = re.search(pattern, text)
    assert found, text
    return [float(group) for group in found.groups()]


def audio_port(description: str) -> int:
    (port,) = found_in(r"(?m)^m=audio (\d+) ", description)
    return int(port)


def with_audio_port(description: str, port: int) -> str:
    return re.sub(r"^m=audio \d+ ", f"m=audio {port} ", description, flags=re.MULTILINE)


def reported(server: FaultServer) -> Iterator[str]:
    """Who calls, of the calls whose peer has said what it hears."""
    for path in (server.home / "calls").glob("*.jsonl"):
        facts: list[dict[str, Any]] = [
            json.loads(line)["data"] for line in path.read_text().splitlines(keepends=True) if line[-1:] == "\n"
        ]
        if any(fact.get("peer_mos", 0) > 0 for fact in facts):
            yield next(str(fact["calling"]) for fact in facts if fact["fact"] == "CallWasOffered")
