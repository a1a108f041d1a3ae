"""Calls by sipp through bad networks: a relay between it and the server loses, delays, overtakes and doubles audio.

sipp sends back what it hears, so that the agent's words cross each network twice: what the recording has on its
left is what became of its right.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.server import CallLog, Server
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import Samples, speech_seconds
from voicegw.rtp.stats import mos
from voicegw.testing.impairment import CATALOGUE
from voicegw.testing.impairment_relay import ImpairmentRelay
from voicegw.testing.ports import free_ports
from voicegw.testing.speech_distance import spectral_distance_db

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

HOLD_MS = 8000
NETWORKS = {
    "clean": ("none", 1.5),
    "loss": ("loss 10 %", 5.0),
    "bursts": ("bursts 10 %", 6.0),
    "jitter": ("jitter 20 ms", 3.0),
    "all": ("all of it", 5.0),
    "little": ("loss 1 %", 2.0),
    "some": ("loss 3 %", 3.0),
    "few-bursts": ("bursts 3 %", 4.0),
    "much-jitter": ("jitter 60 ms", 8.0),
    "overtaken": ("reordering 5 %", 2.5),
    "twice": ("duplicates 5 %", 1.5),
}
"""The catalogue, by the name that is called, and how far the words may be from what they were, in dB."""

LATE = {"much-jitter": 60}
"""Of 400 packets that come back, those for which the jitter buffer has no room on any machine, at the least."""

DELAY_MS = (20, 400)
"""Of one way, whatever the jitter buffer thinks of this machine."""


def test_the_record_says_what_the_network_did_and_the_words_come_through(server: Server, tmp_path: Path) -> None:
    assert {network for network, _ in NETWORKS.values()} == set(CATALOGUE)
    relays: dict[str, ImpairmentRelay] = {}
    lost_before = server.ticks_lost
    with ExitStack() as stack:
        phones = []
        for seed, (called, (network, _)) in enumerate(NETWORKS.items()):
            audio = free_ports(4)
            relay = ImpairmentRelay(("127.0.0.1", free_ports(2)), ("127.0.0.1", audio), CATALOGUE[network], seed)
            relays[called] = stack.enter_context(relay)
            values = {"rtp_port": str(relay.port), "hold_ms": str(HOLD_MS)}
            echo = ("-rtp_echo", "-mp", str(audio))
            phone = Sipp(tmp_path, "uac", target=server.address, service=called, values=values, extra=echo)
            phones.append(stack.enter_context(phone))
        for phone in phones:
            phone.passed()
    left_out = server.ticks_lost - lost_before
    for called, (_, most_db) in NETWORKS.items():
        log = server.called(called)
        check_figures(called, log, relays[called], left_out)
        # What a busy machine makes late is missing, too, and what it leaves out.
        missing = max(0, log.one("MediaWasMeasured")["packets_late"] - LATE.get(called, 0)) + left_out
        most_db += 0.2 * missing
        check_words(called, *server.recording(log), most_db)


def check_figures(called: str, log: CallLog, relay: ImpairmentRelay, left_out: int) -> None:
    """The record against what the relay counted. A machine that is busy adds jitter and late packets of its own;
    where the relay was held up at the end, its last packets came too late to be counted."""
    found, network = log.one("MediaWasMeasured"), CATALOGUE[NETWORKS[called][0]]
    sent, lost, late = (found[f"packets_{name}"] for name in ("sent", "lost", "late"))
    on_the_way = 30 + 50 * relay.held_up_s
    assert sent + left_out >= 0.7 * HOLD_MS / 20, called
    assert lost == pytest.approx(relay.lost, abs=on_the_way / 4), called
    kept = max(0, relay.there.received - relay.there.lost - relay.back.received)  # by sipp, when the call ended
    assert lost + found["packets_received"] == pytest.approx(sent - kept, abs=on_the_way), called
    came_back = min(relay.back.received - relay.back.lost, sent - lost)  # of copies one is counted
    assert came_back >= 0.5 * sent, called
    assert found["packets_received"] == pytest.approx(came_back, abs=on_the_way), called
    missing = (relay.lost + late) / sent
    slowest_ms = DELAY_MS[1] + 1000 * relay.held_up_s
    assert mos(missing + 0.02, slowest_ms) <= found["mos"] <= mos(missing - 0.02, DELAY_MS[0]), called
    if network.jitter_ms:
        # RFC 3550 §6.4.1: of each change of delay a sixteenth counts, of being held up and of what follows at once.
        held_up_ms = (1000 * relay.held_up_s + 20 * left_out) / 8
        assert 0.2 * network.jitter_ms <= found["jitter_ms"] <= 3 * network.jitter_ms + held_up_ms, called


def check_words(called: str, caller: Samples, agent: Samples, most_db: float) -> None:
    assert speech_seconds(agent) >= 3, called
    assert speech_seconds(caller) >= 2.5, called
    assert spectral_distance_db(agent, caller, 8000) <= most_db, called
