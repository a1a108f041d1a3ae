"""The jitter buffer by itself: one stream, 160 samples a frame, payload bytes that tell where they belong."""

from __future__ import annotations

import numpy as np
import pytest

from voicegw.rtp.jitter import RING_FRAMES, JitterBank, JitterLimits
from voicegw.rtp.stats import ReceptionStats

ROWS = np.array([0], np.intp)
SILENCE_DBOV, SPEECH_DBOV = -90.0, -20.0


class Stream:
    """Feeds frame numbers: frame ``n`` holds the byte ``n`` throughout."""

    def __init__(self, base: int = 0xFFFFFE00, start: int = 2) -> None:
        self.bank = JitterBank(2, 160, JitterLimits(start, 1, 10))
        self.stats = ReceptionStats(2)
        self.base = base

    def put(self, sequence: int, timestamp: int | None = None, length: int = 160, value: int | None = None) -> None:
        at = sequence * 160 if timestamp is None else timestamp
        packet = np.full((1, 12 + length), (sequence if value is None else value) & 0xFF, np.uint8)
        stamp = np.array([(self.base + at) & 0xFFFFFFFF], np.int64)
        number = np.array([sequence & 0xFFFF], np.int64)
        reception = self.stats.update(ROWS, number, stamp, 0)
        self.bank.insert(ROWS, stamp, packet, 12, np.array([length], np.int64), reception)

    def get(self, level_dbov: float = SPEECH_DBOV) -> int | None:
        """The frame that is due: its byte, or None when it is missing."""
        pulled = self.bank.pull(ROWS)
        adapted = self.bank.adapt(ROWS, np.array([level_dbov], np.float32), 1)
        if adapted is not None and len(adapted.shorter):
            pulled = self.bank.pull(ROWS)  # nothing is heard here: what is joined does not matter
        if adapted is not None and len(adapted.longer):
            self.bank.stand(ROWS)
        if not pulled.present.all():
            return None
        assert len(set(pulled.codes[0].tolist())) == 1
        return int(pulled.codes[0, 0])


def test_a_steady_stream_comes_out_two_frames_later() -> None:
    stream = Stream()
    out = []
    for number in range(10):
        stream.put(number)
        out.append(stream.get())
    assert out == [None, None, 0, 1, 2, 3, 4, 5, 6, 7]
    assert stream.bank.concealed[0] == 0


def test_reordered_and_duplicate_packets_are_put_right() -> None:
    stream = Stream()
    out = []
    for numbers in ([0], [2], [1, 1], [4], [3, 2], [5], [6], [7]):
        for number in numbers:
            stream.put(number)
        out.append(stream.get())
    assert out == [None, None, 0, 1, 2, 3, 4, 5]
    assert stream.stats.duplicates[0] == 2
    assert stream.bank.late[0] == 0


def test_a_lost_packet_leaves_one_hole() -> None:
    stream = Stream()
    out = []
    for number in range(8):
        if number != 3:
            stream.put(number)
        out.append(stream.get())
    assert out == [None, None, 0, 1, 2, None, 4, 5]
    stream.put(8)
    assert stream.bank.concealed[0] == 160


def test_silence_suppression_is_no_loss() -> None:
    stream = Stream()
    for number in range(5):
        stream.put(number)
        stream.get()
    for _ in range(20):
        stream.get()
    stream.put(5, timestamp=25 * 160)
    assert [stream.get(), stream.get(), stream.get()] == [None, None, 5]
    assert stream.bank.concealed[0] == 0
    assert stream.bank.late[0] == 0


def test_after_a_pause_odd_offsets_are_brought_back_to_whole_frames() -> None:
    stream = Stream()
    for number in range(5):
        stream.put(number)
        stream.get()
    for _ in range(20):
        stream.get()
    out = []
    for number in range(5, 10):
        stream.put(number, timestamp=25 * 160 + 37 + (number - 5) * 160)
        out.append(stream.get())
    assert out == [None, None, 5, 6, 7]
    assert stream.bank.late[0] == 0


def test_a_late_packet_makes_the_delay_thicker_within_the_limit() -> None:
    stream = Stream()
    for number in range(4):
        stream.put(number)
        stream.get()
    for _ in range(6):  # the network stalls
        stream.get()
    for number in range(4, 10):
        stream.put(number)
    assert stream.bank.late[0] > 0
    out = []
    for number in range(10, 24):
        stream.put(number)
        out.append(stream.get())
    assert out[-5:] == list(range(out[-1] - 4, out[-1] + 1))  # type: ignore[operator]
    assert 160 * 2 < stream.bank.delay_samples(0) <= 160 * 11


def delay_after(ticks: int, *levels_dbov: float) -> int:
    """Of a stream that begins with six frames and whose levels come in turn, in frames."""
    stream = Stream(start=6)
    for number in range(ticks):
        stream.put(number)
        stream.get(levels_dbov[number % len(levels_dbov)])
    return stream.bank.delay_samples(0) // 160


def test_a_thick_buffer_gets_thinner_at_once_where_it_is_quiet_and_later_where_it_never_is() -> None:
    assert delay_after(1000, SILENCE_DBOV) == 2
    assert delay_after(499, SPEECH_DBOV) == 6
    assert delay_after(520, SPEECH_DBOV) == 5
    assert delay_after(2700, SPEECH_DBOV) == 1


def test_the_quietest_moment_of_a_line_is_taken() -> None:
    """A frame in forty is 6 dB quieter: after ten seconds it is one of those that is left out."""
    levels = [-26.0] + [SPEECH_DBOV] * 39
    assert delay_after(520, *levels) == 6
    assert delay_after(521, *levels) == 5


class Clocked(Stream):
    """A packet is sent in each tick; six at most are taken in one, after a stall."""

    def __init__(self, start: int = 2) -> None:
        super().__init__(start=start)
        self.tick = self.number = 0

    def run(self, ticks: int, stalled: bool = False, path: int = 0) -> list[int | None]:
        """``path``: ticks for which each packet is under way."""
        out = []
        for _ in range(ticks):
            for _ in range(0 if stalled else 6):
                if self.number + path <= self.tick:
                    self.put(self.number)
                    self.number += 1
            out.append(self.get())
            self.tick += 1
        return out


@pytest.mark.parametrize("ticks", [15, 24, 28])
def test_stalls_do_not_add_up(ticks: int) -> None:
    """Each would have added ten frames: the buffer was empty when the first late packet came."""
    stream = Clocked()
    stream.run(50)
    for _ in range(3):
        stream.run(ticks, stalled=True)
        stream.run(50)
        assert stream.bank.delay_samples(0) <= 10 * 160
    assert stream.bank.delay_samples(0) == 10 * 160
    assert not stream.bank.resyncs[0]


def test_a_path_that_is_longer_from_now_on_is_followed_though_the_buffer_is_thick() -> None:
    """A fifth of a second of packets that are all late is no stall; after half a second none is late any more."""
    stream = Clocked(start=9)
    stream.run(100)
    out = stream.run(100, path=25)
    assert None not in out[-45:]
    assert stream.bank.late[0] <= 26
    assert stream.bank.delay_samples(0) <= 10 * 160


def test_what_a_path_that_is_short_again_leaves_above_the_limit_goes_at_a_frame_a_second() -> None:
    stream = Clocked()
    stream.run(100)
    stream.run(250, path=20)
    stream.run(100)
    assert 18 * 160 <= stream.bank.delay_samples(0) <= 22 * 160
    stream.run(13 * 50)
    assert stream.bank.delay_samples(0) <= 10 * 160
    stream.run(20 * 50)
    assert stream.bank.delay_samples(0) >= 8 * 160, "there is no haste any more"


def test_what_has_piled_up_before_a_stream_is_not_kept() -> None:
    stream = Stream()
    for number in range(50):
        stream.put(number)
    for number in range(50, 100):
        stream.get()
        stream.put(number)
    assert stream.bank.delay_samples(0) <= 11 * 160


def test_a_stream_thinner_than_the_least_gets_a_frame_back_and_nothing_is_missing() -> None:
    """A slow clock: the packets come a tick later twice a minute, one that none of them misses."""
    stream, out, number = Stream(), [], 0
    for tick in range(5900):
        if tick % 1500 != 1499:
            stream.put(number)
            number += 1
        out.append(stream.get())
    assert stream.bank.concealed[0] == 0
    assert stream.bank.late[0] == 0
    assert stream.bank.delay_samples(0) == 160
    assert out.count(None) == 2 + 3, "the beginning, and the frames that are played twice"


def test_nothing_is_joined_across_a_change_of_codec() -> None:
    stream = Stream(start=6)
    for number in range(249):
        stream.put(number)
        stream.get(SILENCE_DBOV)
    stream.put(249)
    seam = stream.bank.mark_seam(0)
    number = 250
    while not stream.bank.plays(0, seam):
        assert stream.get(SILENCE_DBOV) is not None
        assert stream.bank.delay_samples(0) == 6 * 160 if number > 250 else True
        stream.put(number)
        number += 1
    for _ in range(20):
        stream.get(SILENCE_DBOV)
        stream.put(number)
        number += 1
    assert stream.bank.delay_samples(0) == 6 * 160


def test_a_jump_of_the_timestamp_starts_over() -> None:
    stream = Stream()
    for number in range(5):
        stream.put(number)
        stream.get()
    for number in range(5, 10):
        stream.put(number, timestamp=500_000 + number * 160)
        last = stream.get()
    assert last == 7
    assert stream.bank.resyncs[0] == 1


def test_a_jump_backwards_starts_over_too() -> None:
    stream = Stream()
    for number in range(100):
        stream.put(number)
        stream.get()
    for number in range(100, 106):
        stream.put(number, timestamp=(number - 100) * 160 - 100_000)
        last = stream.get()
    assert last == 103
    assert stream.bank.resyncs[0] == 1


def test_packets_of_10_30_40_and_60_ms_are_cut_and_joined() -> None:
    for length in (80, 240, 320, 480):
        stream = Stream(start=4)
        out: list[int | None] = []
        sent = 0
        for tick in range(24):
            while sent * length < (tick + 1) * 160:
                at = sent * length
                packet = np.zeros((1, 12 + length), np.uint8)
                packet[0, 12:] = (np.arange(at, at + length) // 160) & 0xFF
                stamp = np.array([(stream.base + at) & 0xFFFFFFFF], np.int64)
                reception = stream.stats.update(ROWS, np.array([sent], np.int64), stamp, 0)
                stream.bank.insert(ROWS, stamp, packet, 12, np.array([length], np.int64), reception)
                sent += 1
            out.append(stream.get())
        assert out == [None] * 4 + list(range(20)), length


def test_a_flood_ahead_of_time_does_not_run_over_the_ring() -> None:
    stream = Stream()
    for number in range(RING_FRAMES * 3):
        stream.put(number)
    assert stream.bank.resyncs[0] >= 1
    frames = [stream.get() for _ in range(RING_FRAMES)]
    present = [frame for frame in frames if frame is not None]
    assert present == sorted(present)


def test_skipped_time_goes_unheard_and_keeps_the_delay() -> None:
    stream = Stream()
    for number in range(6):
        stream.put(number)
        stream.get()
    for number in range(6, 11):
        stream.put(number)
    stream.bank.skip(ROWS, 5)
    stream.put(11)
    assert stream.get() == 9


def test_a_restart_forgets_what_was_stored() -> None:
    stream = Stream()
    stream.put(0)
    stream.bank.restart(0)
    assert not stream.bank.running[0]
    assert [stream.get() for _ in range(3)] == [None, None, None]


def test_a_stream_that_ended_while_it_was_held_back_holds_back_nobody() -> None:
    stream = Stream()
    stream.put(0)
    for _ in range(6):
        stream.get()
    stream.put(1)  # late: the playout is to stand still, and no packet was in time since
    stream.bank.restart(0)
    other = np.array([1], np.intp)
    stamp, number = np.array([0], np.int64), np.array([0], np.int64)
    reception = stream.stats.update(other, number, stamp, 0)
    stream.bank.insert(other, stamp, np.zeros((1, 172), np.uint8), 12, np.array([160], np.int64), reception)
    assert [stream.bank.pull(other).due is None for _ in range(3)] == [False, False, True]


def test_a_frame_that_was_foretold_is_as_good_as_one_that_was_looked_at() -> None:
    usual, looked_at = Stream(), Stream()
    out: list[tuple[int | None, int | None]] = []
    for number in range(12):
        if number != 7:  # a hole in both, after which the next packet is not the next frame
            looked_at.put(number)
            stamp = np.array([(usual.base + number * 160) & 0xFFFFFFFF], np.int64)
            if (usual.bank.next_timestamp(ROWS) == stamp).all():
                usual.stats.count_next(ROWS, stamp, 0)
                assert usual.bank.append(ROWS, stamp, np.full((1, 160), number, np.uint8))
            else:
                usual.put(number)
        out.append((usual.get(), looked_at.get()))
    assert [frame for frame, _ in out] == [None, None, 0, 1, 2, 3, 4, 5, 6, None, 8, 9]
    assert all(one == other for one, other in out)
    assert usual.bank.concealed[0] == looked_at.bank.concealed[0] == 160


def test_nothing_is_foretold_without_a_stream_in_whole_frames() -> None:
    stream = Stream()
    assert stream.bank.next_timestamp(ROWS) == [-1]
    stream.put(0)
    assert stream.bank.next_timestamp(ROWS) == [(stream.base + 160) & 0xFFFFFFFF]
    stream.put(1, length=80)
    stream.put(2, timestamp=240)
    assert stream.bank.next_timestamp(ROWS) == [-1]
    stream.bank.restart(0)
    assert stream.bank.next_timestamp(ROWS) == [-1]


def test_a_frame_that_is_not_in_time_is_not_taken_unseen() -> None:
    stream = Stream()
    stream.put(0)
    for _ in range(6):
        stream.get()
    assert not stream.bank.append(ROWS, stream.bank.next_timestamp(ROWS), np.zeros((1, 160), np.uint8))
    early = Stream()
    for number in range(50):
        early.put(number)
        early.get()
    for number in range(50, 45 + RING_FRAMES):
        early.put(number)
    assert not early.bank.append(ROWS, early.bank.next_timestamp(ROWS), np.zeros((1, 160), np.uint8))
