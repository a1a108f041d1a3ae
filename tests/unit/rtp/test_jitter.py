"""The jitter buffer by itself: one stream, 160 samples a frame, payload bytes that tell where they belong."""

from __future__ import annotations

import numpy as np

from voicegw.rtp.jitter import RING_FRAMES, JitterBank, JitterLimits
from voicegw.rtp.stats import ReceptionStats

ROWS = np.array([0], np.intp)
QUIET = np.array([True])
LOUD = np.array([False])


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

    def get(self, quiet: bool = False) -> int | None:
        """The frame that is due: its byte, or None when it is missing."""
        pulled = self.bank.pull(ROWS)
        self.bank.thin(ROWS, QUIET if quiet else LOUD, 1)
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


def test_a_thick_buffer_gets_thinner_only_where_it_is_quiet() -> None:
    def delay_after(quiet: bool) -> int:
        stream = Stream(start=6)
        for number in range(1000):
            stream.put(number)
            stream.get(quiet)
        return stream.bank.delay_samples(0)

    assert delay_after(quiet=False) == 6 * 160
    assert delay_after(quiet=True) == 2 * 160


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
    for number in range(RING_FRAMES - 5):
        early.put(number)
    assert not early.bank.append(ROWS, early.bank.next_timestamp(ROWS), np.zeros((1, 160), np.uint8))
