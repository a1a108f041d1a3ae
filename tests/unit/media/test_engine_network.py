"""The engine behind bad networks, on a manual clock: delay stays bounded, and what is lost is counted."""

from __future__ import annotations

import heapq

import numpy as np
import pytest

from tests.unit.media.rig import SERVER_IP, Peer, Rig, power_at, tone
from voicegw.audio.g711 import Law, encode
from voicegw.base.ids import CallId, LegId
from voicegw.media import messages as m
from voicegw.media.config import MediaConfig
from voicegw.rtp.jitter import JitterBank, JitterLimits
from voicegw.rtp.stats import ReceptionStats
from voicegw.testing.impairment import CATALOGUE, ImpairedPath, Impairment


class Line:
    """A phone that says a tone for ever, through a bad network; what is heard of it is recorded."""

    def __init__(self, impairment: Impairment, config: MediaConfig | None = None) -> None:
        self.rig = Rig(config)
        self.peer = self.rig.open("a")
        self.rig.mix(("a", "rec_in"), ("a", "a"))
        self.rig.do(m.StartRecording(CallId("call"), "x"))
        self.path = ImpairedPath(impairment, seed=5)
        self._under_way: list[tuple[float, int, bytes]] = []
        self._count = 0
        self.held_until = 0.0
        """The network is stalled until then."""
        self.delays_ms: list[float] = []

    def send(self, data: bytes) -> None:
        now = self.rig.clock.monotonic()
        for arrival in self.path.arrivals(now):
            self._count += 1
            heapq.heappush(self._under_way, (max(arrival, self.held_until), self._count, data))

    def talk(self, seconds: float) -> None:
        for _ in range(round(seconds * 50)):
            pcm = tone(400, start=self.peer.said)
            packet = self.peer.packet(encode(pcm, Law.ULAW).tobytes())
            self.peer.said += 160
            self.peer.timestamp = (self.peer.timestamp + 160) & 0xFFFFFFFF
            self.send(packet.to_bytes())
            self.pass_time(1)

    def pass_time(self, ticks: int) -> None:
        for _ in range(ticks):
            now = self.rig.clock.monotonic()
            while self._under_way and self._under_way[0][0] <= now:
                self.peer.send_raw(heapq.heappop(self._under_way)[2])
            self.rig.tick()
            self.delays_ms.append(self.rig.engine._bank.jitter.delay_samples(self.row) / 8)

    @property
    def row(self) -> int:
        return next(iter(self.rig.engine._board.legs.values())).row

    def heard(self) -> float:
        """How loud the tone was in all that was heard."""
        return power_at(np.concatenate(self.rig.recorder.left[CallId("call")])[8000:], 400)

    def close(self) -> m.LegStats:
        self.rig.do(m.CloseLeg(LegId("a")))
        return self.rig.of(m.LegClosed)[-1].stats


@pytest.mark.parametrize("name", CATALOGUE)
def test_delay_is_bounded_and_the_losses_are_counted(name: str) -> None:
    impairment = CATALOGUE[name]
    line = Line(impairment)
    line.talk(20)
    stats = line.close()
    assert max(line.delays_ms) <= 220
    lost = stats.packets_lost / 1000
    assert lost == pytest.approx(impairment.loss, abs=0.006 + impairment.loss / 2)
    assert stats.packets_late / 1000 <= (0.12 if impairment.jitter_ms > 20 else 0.05)
    assert bool(stats.packets_duplicate) is bool(impairment.duplicated)
    assert stats.concealed_samples / 160 / 1000 <= 2 * impairment.loss + 2.5 * stats.packets_late / 1000 + 0.03
    assert 1 <= stats.mos <= 4.5
    assert stats.mos == pytest.approx(4.38, abs=0.05) or lost or stats.packets_late


def test_worse_networks_have_worse_marks() -> None:
    marks = []
    for name in ("none", "loss 1 %", "loss 3 %", "loss 10 %"):
        line = Line(CATALOGUE[name])
        line.talk(20)
        marks.append(line.close().mos)
    assert marks == sorted(marks, reverse=True)
    assert marks[0] > 4.3
    assert marks[-1] < 3.5


def silent(line: Line, seconds: float, noise_every: int = 0) -> None:
    """The phone says nothing, and comfort noise every so many frames, if any (RFC 3389)."""
    for number in range(round(seconds * 50)):
        if noise_every and number % noise_every == 0:
            line.send(line.peer.packet(b"\x40", 13).to_bytes())
        line.peer.timestamp = (line.peer.timestamp + 160) & 0xFFFFFFFF
        line.pass_time(1)


def test_comfort_noise_is_a_sign_of_life_and_nothing_is_missing() -> None:
    line = Line(CATALOGUE["none"], MediaConfig(max_legs=4, no_media_timeout_ms=2000))
    for _ in range(4):
        line.talk(1)
        silent(line, 5, noise_every=25)
    assert not line.rig.of(m.MediaTimedOut)
    stats = line.close()
    assert (stats.packets_lost, stats.concealed_samples) == (0, 0)
    assert line.heard() > 0


def test_silence_without_a_packet_is_no_loss_and_reports_keep_the_line() -> None:
    line = Line(CATALOGUE["none"], MediaConfig(max_legs=4, no_media_timeout_ms=2000))
    line.talk(1)
    place = (line.peer.address[0], line.peer.address[1] + 1)
    for _ in range(5):
        line.rig.network.deliver(b"\x80\xc9\0\1" + line.peer.ssrc.to_bytes(4, "big"), place, report_port(line.peer))
        silent(line, 1)
    assert not line.rig.of(m.MediaTimedOut)
    line.talk(1)
    silent(line, 5)
    assert [event.silent_ms // 2000 for event in line.rig.of(m.MediaTimedOut)] == [1, 2]
    stats = line.close()
    assert (stats.packets_lost, stats.concealed_samples) == (0, 0)


def report_port(peer: Peer) -> tuple[str, int]:
    return SERVER_IP, peer.server[1] + 1


@pytest.mark.parametrize("jump", ["sequence", "timestamp", "ssrc", "all"])
def test_after_a_jump_the_stream_is_heard_again_at_once(jump: str) -> None:
    line = Line(CATALOGUE["none"])
    line.talk(5)
    if jump in ("sequence", "all"):
        line.peer.sequence = (line.peer.sequence + 20_000) & 0xFFFF
    if jump in ("timestamp", "all"):
        line.peer.timestamp = (line.peer.timestamp + 9_000_000) & 0xFFFFFFFF
    if jump in ("ssrc", "all"):
        line.peer.ssrc ^= 0xABCD
        line.pass_time(5)
    line.talk(5)
    stats = line.close()
    assert stats.packets_lost <= 1
    assert stats.packets_received >= 495
    assert line.heard() > 5000
    assert max(line.delays_ms) <= 120


PPM = (-300, -100, 0, 100, 300)
NOISE_DBOV = -45.0


@pytest.mark.parametrize("quietest_dbov", [-80.0, NOISE_DBOV])
def test_clocks_that_differ_do_not_add_delay(quietest_dbov: float) -> None:
    """Four minutes at 300 ppm are an hour at 20; they speak, and pause every few seconds, as in a conversation."""
    count = len(PPM)
    bank, stats = JitterBank(count, 160, JitterLimits(2, 1, 10)), ReceptionStats(count)
    due, sent = np.full(count, 0.005), np.zeros(count, np.int64)
    spacing = 0.02 * (1 - np.array(PPM) * 1e-6)
    rows, packets = np.arange(count, dtype=np.intp), np.zeros((count, 172), np.uint8)
    delays = []
    for tick in range(4 * 60 * 50):
        now = tick * 0.02
        while (ready := np.flatnonzero(due <= now)).size:
            numbers, lengths = sent[ready], np.full(len(ready), 160)
            reception = stats.update(ready, numbers & 0xFFFF, numbers * 160 & 0xFFFFFFFF, round(now * 8000))
            bank.insert(ready, numbers * 160 & 0xFFFFFFFF, packets[: len(ready)], 12, lengths, reception)
            sent[ready] += 1
            due[ready] += spacing[ready]
        bank.pull(rows)
        level = np.full(count, quietest_dbov if now % 10 < 4 else -20.0, np.float32)
        if tick % 10 == 0 and (adapted := bank.adapt(rows, level, 10)) is not None:
            bank.pull(rows[adapted.shorter])
            bank.stand(rows[adapted.longer])
        if tick % 50 == 0:
            delays.append([bank.delay_samples(row) / 8 for row in range(count)])
    late_half = np.array(delays[len(delays) // 2 :])
    assert late_half.max() <= 40
    assert (late_half.mean(axis=0) <= 25).all()
    assert not bank.concealed[rows].any()
    assert not bank.late[rows].any()


def test_three_stalls_of_the_network_do_not_add_up() -> None:
    """600 ms each, after which all comes at once. What came too late is counted, and so is what was not there."""
    line = Line(CATALOGUE["none"])
    line.talk(2)
    for _ in range(3):
        line.held_until = line.rig.clock.monotonic() + 0.6
        line.talk(2.6)
        assert line.delays_ms[-1] <= 200
    line.pass_time(2)
    stats = line.close()
    assert (stats.packets_lost, stats.packets_duplicate) == (0, 0)
    assert stats.packets_received == line.peer.said // 160
    assert 3 * 8 <= stats.packets_late <= 3 * 30
    frames = sum(map(len, line.rig.recorder.left[CallId("call")])) // 160
    assert frames == len(line.delays_ms), "a frame a tick, whatever came"
