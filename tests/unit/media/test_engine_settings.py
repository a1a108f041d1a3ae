"""An engine and its worker that are told other settings while legs are open: each is where it counts."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests.unit.media.rig import SERVER_IP, LevelVad, Peer, Rig, tone
from voicegw.base.messages import frame
from voicegw.call.edges import AGENT_EAR
from voicegw.media import messages as m
from voicegw.media.config import MediaConfig
from voicegw.media.worker import MediaWorker
from voicegw.turn.echo_gate_config import EchoGateConfig
from voicegw.turn.vad_gate_config import VadGateConfig

CONFIG = MediaConfig(max_legs=4, port_low=20000, port_high=20003)


def heard(rig: Rig) -> list[bytes]:
    """The pieces that the agent's ear got."""
    return [frame.pcm for batch in rig.of(m.AudioBatch) for frame in batch.frames]


def listening(config: MediaConfig) -> tuple[Rig, Peer]:
    """A leg that the agent hears."""
    rig = Rig(config, LevelVad())
    peer = rig.open("a")
    rig.mix(("a", AGENT_EAR))
    return rig, peer


def test_a_silent_leg_is_told_of_by_the_new_time() -> None:
    rig = Rig(CONFIG)
    rig.open("a")
    rig.tick(100)
    assert not rig.of(m.MediaTimedOut)
    rig.engine.use(replace(CONFIG, no_media_timeout_ms=1000))
    rig.tick(26)
    (told,) = rig.of(m.MediaTimedOut)
    assert 2000 <= told.silent_ms <= 2600


def test_a_new_stream_begins_with_the_new_delay_and_a_running_one_keeps_its_own() -> None:
    rig = Rig(CONFIG)
    peers = [rig.open("a")]
    for count in (50, 50):
        for _ in range(count):
            for peer in peers:
                peer.say_tone(440)
            rig.tick()
        delays = [rig.engine.buffered_ms(peer.leg_id) for peer in peers]
        if count == 50 and len(peers) == 1:
            assert delays == [40]
            rig.engine.use(replace(CONFIG, jitter_start_ms=100))
            peers.append(rig.open("b"))
    assert delays == [40, 100]


def test_a_buffer_that_is_thicker_than_the_new_most_gets_thin() -> None:
    config = replace(CONFIG, jitter_start_ms=160)
    rig = Rig(config)
    peer = rig.open("a")

    def talk(ticks: int) -> None:
        for _ in range(ticks):
            peer.say(np.zeros(160, np.int16))
            rig.tick()

    talk(100)
    assert rig.engine.buffered_ms(peer.leg_id) == 160
    rig.engine.use(replace(config, jitter_start_ms=40, jitter_max_ms=60))
    talk(1000)
    assert rig.engine.buffered_ms(peer.leg_id) <= 60


def test_ports_that_drain_are_free_by_the_new_time() -> None:
    rig = Rig(replace(CONFIG, draining_s=1000.0))
    peer = rig.open("a")
    rig.do(m.CloseLeg(peer.leg_id))
    rig.tick(60)
    assert rig.engine.ports_free == 1
    rig.engine.use(replace(CONFIG, draining_s=1.0))
    rig.tick(26)
    assert rig.engine.ports_free == 2


def test_recognisers_get_pieces_of_the_new_length_and_lose_nothing() -> None:
    rig, peer = listening(replace(CONFIG, tap_ms=100, ear_level_dbov=0.0))
    for number in range(64):
        peer.say_tone(440)
        if number == 32:  # in the middle of a piece
            rig.engine.use(replace(CONFIG, tap_ms=20, ear_level_dbov=0.0))
        rig.tick()
    assert sum(map(len, heard(rig))) == 64 * 320 and {len(piece) for piece in heard(rig)[-20:]} == {320}
    rig.engine.use(replace(CONFIG, tap_ms=200, ear_level_dbov=0.0))
    for _ in range(20):
        peer.say_tone(440)
        rig.tick()
    assert len(heard(rig)[-1]) == 3200


def test_recognisers_get_speech_at_the_new_level() -> None:
    rig, peer = listening(replace(CONFIG, tap_ms=20, ear_level_dbov=0.0))

    def loudest() -> int:
        for _ in range(150):
            peer.say(tone(440, start=peer.said, amplitude=3000.0))
            peer.said += 160
            rig.tick()
        return int(np.abs(np.frombuffer(heard(rig)[-1], np.int16)).max())

    plain = loudest()
    rig.engine.use(replace(CONFIG, tap_ms=20, ear_level_dbov=-14.0))
    raised = loudest()
    rig.engine.use(replace(CONFIG, tap_ms=20, ear_level_dbov=-35.0))
    lowered = loudest()
    rig.engine.use(replace(CONFIG, tap_ms=20, ear_level_dbov=0.0))
    assert lowered < 0.8 * plain < plain < 1.25 * plain < raised and loudest() == plain


@pytest.mark.parametrize(("min_speech_ms", "starts"), [(100, 1), (3000, 0)])
def test_speech_begins_by_the_new_gate(min_speech_ms: int, starts: int) -> None:
    rig, peer = listening(CONFIG)
    rig.tick(10)
    rig.engine.use(replace(CONFIG, vad=VadGateConfig(min_speech_ms=min_speech_ms)))
    for _ in range(50):
        peer.say_tone(440)
        rig.tick()
    assert len(rig.of(m.SpeechStarted)) == starts


@pytest.mark.parametrize(("echo", "starts"), [(EchoGateConfig(), 0), (EchoGateConfig(longest_ms=0), 1)])
def test_echo_is_told_from_speech_by_the_new_gate(echo: EchoGateConfig, starts: int) -> None:
    """What is sent comes back much weaker: an echo, where anybody asks."""
    rig = Rig(CONFIG, LevelVad())
    peer, other = rig.open("a"), rig.open("b", vad=False)
    rig.mix(("b", "a"), ("a", AGENT_EAR))
    rig.engine.use(replace(CONFIG, echo=echo))
    for _ in range(100):
        other.say(tone(440, start=peer.said, amplitude=20000.0))
        peer.say(tone(440, start=peer.said, amplitude=3000.0))
        peer.said += 160
        rig.tick()
    assert len([told for told in rig.of(m.SpeechStarted) if told.leg_id == peer.leg_id]) == starts


def test_other_numbers_of_the_echo_gate_forget_nothing_of_a_line() -> None:
    rig, _ = listening(CONFIG)
    gate = rig.engine._echo._gate
    rig.engine.use(replace(CONFIG, echo=EchoGateConfig(margin_db=3.0)))
    assert rig.engine._echo._gate is gate and gate is not None and gate.config.margin_db == 3.0


def test_reports_go_at_the_new_pace() -> None:
    rig = Rig(replace(CONFIG, rtcp_interval_ms=1000))
    peer = rig.open("a")
    place = (peer.address[0], peer.address[1] + 1)
    rig.tick(100)
    before = len(rig.network.outbox[place])
    assert 1 <= before <= 4
    rig.engine.use(replace(CONFIG, rtcp_interval_ms=200))
    rig.tick(200)
    assert len(rig.network.outbox[place]) - before >= 8


def test_legs_that_are_opened_from_then_on_believe_by_the_new_rules() -> None:
    rig = Rig(CONFIG)
    old = rig.open("a")
    rig.engine.use(replace(CONFIG, latch_packets=2))
    new = rig.open("b")
    for _ in range(3):
        for peer in (old, new):
            peer.send_raw(peer.packet(bytes(160)).to_bytes(), ("198.51.100.7", 4000))
        rig.tick()
    assert [told.leg_id for told in rig.of(m.MediaLatched)] == [new.leg_id]


def test_encoders_that_are_made_from_then_on_have_the_new_effort() -> None:
    rig = Rig(replace(CONFIG, opus_complexity=1))
    settings = m.ConfigureLeg(rig.open("a").leg_id, SERVER_IP, 4000, "opus", 96)
    wide = rig.engine._bank.wide
    assert wide._opus_settings(settings).complexity == 1
    rig.engine.use(replace(CONFIG, opus_complexity=7))
    assert wide._opus_settings(settings).complexity == 7


@pytest.fixture
def worker() -> Iterator[tuple[MediaWorker, socket.socket]]:
    """One that does not run, and the gateway's end of its socket."""
    ours, theirs = socket.socketpair()
    engine = Rig(CONFIG).engine
    engine.on_settings = lambda settings: engine.use(settings.media)
    with ours, theirs:
        yield MediaWorker(ours, engine), theirs


def test_the_loop_goes_by_what_its_engine_is_told(worker: tuple[MediaWorker, socket.socket]) -> None:
    loop, gateway = worker
    wanted = replace(CONFIG, catch_up_frames=9, outbox_bytes=1000, report_interval_ms=40)
    gateway.sendall(frame(m.encode(m.ChangeSettings("info", "keep", 0, 0, (), wanted))))
    loop._read()
    assert loop._engine.config == wanted
    assert loop._clock.catch_up_frames == 9 and loop._outbox.limit_bytes == 1000
    loop._report(loop._report_at)
    due = loop._report_at
    loop._report(due)
    assert loop._report_at == pytest.approx(due + 0.04)
