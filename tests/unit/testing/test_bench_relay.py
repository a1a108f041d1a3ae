"""The relay bench: speech is found whatever happened to it; rows, tables and verdicts say what was counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from voicegw.call.facts import MediaWasMeasured
from voicegw.testing.bench._found_speech import Piece, cut_out, find, find_first, find_sent, in_a_row
from voicegw.testing.bench._relay_calls import RelayedCall
from voicegw.testing.bench._relay_rows import Measured, Row, Words, markdown, row_of, verdicts
from voicegw.testing.impairment import CATALOGUE, ImpairedPath
from voicegw.testing.impairment_relay import Way
from voicegw.testing.probe_sounds import voice
from voicegw.testing.speech_distance import spectral_distance_db

Pcm = NDArray[np.int16]

RATE = 8000
FRAME = 160
NOTHING = np.zeros(0, np.int16)


def quiet(seconds: float) -> Pcm:
    return np.zeros(round(seconds * RATE), np.int16)


def story() -> tuple[Pcm, list[Piece]]:
    """Four pieces of a voice with pauses, each of another length."""
    parts, pieces, at = [], [], 0
    for number in range(4):
        piece = voice(RATE, 4.0)[number * RATE // 2 :][: RATE + number * RATE // 4]
        parts += [quiet(0.8), piece]
        pieces.append(Piece(f"number {number}", piece, at + round(0.8 * RATE)))
        at += round(0.8 * RATE) + len(piece)
    return np.concatenate([*parts, quiet(2)]), pieces


@pytest.mark.parametrize("later_s", [-0.5, 0.0, 1.7])
def test_pieces_are_found_wherever_the_sound_begins(later_s: float) -> None:
    said, pieces = story()
    heard = np.concatenate([quiet(later_s), said]) if later_s > 0 else said[round(-later_s * RATE) :]
    found = find(pieces, said, heard, RATE)
    assert found == [piece.start + round(later_s * RATE) for piece in pieces]


def test_pieces_are_found_where_time_vanishes_and_words_are_missing() -> None:
    said, pieces = story()
    vanished = round(0.3 * RATE)
    second = pieces[1].start
    heard = np.concatenate([said[: second - vanished], said[second:]])
    heard[pieces[2].start - vanished :][: len(pieces[2].pcm)] = 0
    found = find(pieces, said, heard, RATE)
    assert found == [pieces[0].start, *(piece.start - vanished for piece in pieces[1:])]
    far = [
        spectral_distance_db(piece.pcm, cut_out(heard, start, len(piece.pcm), RATE), RATE)
        for piece, start in zip(pieces, found, strict=True)
    ]
    assert max(far[0], far[1], far[3]) <= 0.1
    assert far[2] >= 10


def test_pieces_are_found_where_bursts_take_seconds_out_of_a_call() -> None:
    """A player that conceals one frame of each gap: 5 of 60 s are gone, and some pieces with them."""
    random, sound = np.random.default_rng(1), voice(RATE, 40.0)
    parts: list[Pcm] = []
    pieces: list[Piece] = []
    for number in range(24):
        begin = round(random.uniform(0, 37) * RATE)
        piece = sound[begin:][: round(random.uniform(1.4, 2.6) * RATE)]
        parts += [quiet(0.6), piece]
        pieces.append(Piece(str(number), piece, sum(map(len, parts)) - len(piece)))
    said = np.concatenate([*parts, quiet(2)])
    path, heard, places, gap = ImpairedPath(CATALOGUE["bursts 10 %"], 5), [], [], False
    for frame in said[: len(said) // FRAME * FRAME].reshape(-1, FRAME):
        places.append(len(heard) * FRAME)
        arrives = bool(path.arrivals(len(places) * 0.02))
        if arrives or not gap:
            heard.append(frame if arrives else frame // 2)
        gap = not arrives
    assert len(places) - len(heard) > 4 * 50
    found = find(pieces, said, np.concatenate(heard), RATE)
    missed = [abs(start - places[piece.start // FRAME]) / RATE for start, piece in zip(found, pieces, strict=True)]
    assert np.median(missed) < 0.1
    assert np.quantile(missed, 0.8) < 0.3
    assert missed[-1] < 0.3, "what little is left of one leads none behind it astray"


def test_what_is_cut_out_is_silent_beyond_both_ends() -> None:
    heard = np.arange(1, 9, dtype=np.int16)
    cut = cut_out(heard, -1, 10, 8)
    assert cut.tolist() == [0, 0, 0, *range(1, 9), 0, 0, 0, 0, 0]
    assert len(cut) == 10 + 2 + 4


def test_samples_are_found_where_they_are_first_and_not_where_they_are_not() -> None:
    said, pieces = story()
    twice = np.concatenate([said // 2, said])
    assert find_first(pieces[2].pcm, twice) == pieces[2].start
    assert find_first(pieces[2].pcm, twice[pieces[2].start + 1 :]) == len(said) - 1
    assert find_first(pieces[2].pcm, said[: pieces[2].start]) is None
    assert find_first(said, pieces[2].pcm) is None


def test_a_torn_sentence_is_left_out_and_the_next_ones_are_found() -> None:
    said, pieces = story()
    gap = quiet(0.5)
    rows, places = in_a_row([(piece.text, piece.pcm) for piece in pieces], RATE)
    assert [place.text for place in places] == ["number 0", "number 1", "number 2", "number 3"]
    assert all(np.array_equal(rows[place.start :][: len(place.pcm)], place.pcm) for place in places)
    middle = places[1].start + len(places[1].pcm) // 2
    torn = np.concatenate([rows[:middle], gap, rows[middle:]])
    found = find_sent([(piece.text, piece.pcm) for piece in pieces], torn, RATE)
    assert [place.text for place in found] == ["number 0", "number 2", "number 3"]
    assert [place.start for place in found] == [
        places[0].start,
        places[2].start + len(gap),
        places[3].start + len(gap),
    ]
    assert find_sent([(piece.text, piece.pcm) for piece in pieces], said[:100], RATE) == []


def test_a_recording_that_begins_within_the_first_silence_has_the_first_sentence() -> None:
    _, pieces = story()
    sentence = np.concatenate([quiet(0.3), pieces[0].pcm])
    late = round(0.15 * RATE)
    (found,) = find_sent([("first", sentence)], sentence[late:], RATE)
    assert found.start == -late
    assert np.array_equal(found.pcm, sentence)


def call(lost: int, peer_lost: int, *, late: int = 0) -> RelayedCall:
    media = MediaWasMeasured(1000, 1000 - lost, lost, late, 0, 1.0, mos=4.0, peer_lost=peer_lost, peer_mos=3.0)
    return RelayedCall("loss 3 %", RATE, media, NOTHING, NOTHING, NOTHING, Way(1000, lost), Way(1000, peer_lost))


def test_a_row_is_the_sum_of_its_calls() -> None:
    calls = [
        Measured(call(20, 40, late=10), Words(80, 4, (1.0, 2.0)), Words(80, 3, (3.0,)), (50.0, 70.0)),
        Measured(call(40, 0), Words(80, 0, (3.0,)), Words(70, 0, (4.0,)), (60.0, 90.0)),
    ]
    row = row_of("PCMU", "loss 3 %", calls)
    assert (row.calls, row.words_in, row.words_out) == (2, 160, 150)
    assert (row.lost_in_percent, row.late_in_percent, row.lost_out_percent) == (3.0, 0.5, 2.0)
    assert (row.relay_lost_in_percent, row.relay_lost_out_percent) == (3.0, 2.0)
    assert (row.word_error_in, row.word_error_out) == (2.5, 2.0)
    assert (row.distance_in_db, row.distance_out_db) == (2.0, 3.5)
    assert (row.way_in_p50_ms, row.way_in_max_ms) == (65, 90)
    assert (row.mos_in, row.mos_out) == (4.0, 3.0)


def test_the_phone_speaks_so_long_after_the_first_frame_of_the_recording() -> None:
    """The relay has seen 990 packets of ours, the recording has 1,000 frames: it began 200 ms earlier."""
    agent = np.zeros(1000 * RATE // 50, np.int16)
    seen = replace(call(0, 0), agent=agent, there=Way(900, 0, 50.1), back=Way(990, 0, 50.25))
    assert seen.said_after_s == pytest.approx(50.1 - (50.25 - 0.2))


GOOD = Row("PCMU", "none", 2, 160, 160, 4.4, 4.3, 0.0, 0.1, 0.0, 0.0, 0.0, 80, 120, 0.7, 0.8, 0.0, 0.0)
LOSSY = replace(GOOD, network="loss 3 %", lost_in_percent=3.0, relay_lost_in_percent=3.0, mos_in=4.0)


def test_good_rows_meet_the_aims() -> None:
    found = verdicts([GOOD, LOSSY])
    assert len(found) == 4 and all(found.values())


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        (replace(LOSSY, lost_in_percent=4.5), "what the relay took"),
        (replace(LOSSY, relay_lost_out_percent=3.0), "what the relay took"),
        (replace(LOSSY, way_in_max_ms=401), "the way in"),
        (replace(LOSSY, word_error_out=10.5), "3 % of loss"),
        (replace(LOSSY, network="none", word_error_in=2.5), "a good network"),
    ],
)
def test_each_aim_can_be_missed(changed: Row, what: str) -> None:
    found = verdicts([GOOD, changed])
    assert [aim for aim, met in found.items() if not met and what in aim]
    assert [met for aim, met in found.items() if what not in aim] == [True] * (len(found) - 1)


def test_what_came_twice_makes_up_for_losses_in_reports_alone() -> None:
    twice = replace(LOSSY, network="all of it", relay_lost_out_percent=4.0, lost_out_percent=1.5)
    aim = next(aim for aim in verdicts([twice]) if "what the relay took" in aim)
    assert verdicts([twice])[aim]
    assert not verdicts([replace(twice, lost_out_percent=0.3)])[aim]
    assert not verdicts([replace(twice, lost_in_percent=1.0)])[aim]


def test_fec_has_to_gain_in_each_direction_whatever_it_costs_where_nothing_is_lost() -> None:
    clean = [
        replace(GOOD, codec="opus", distance_in_db=2.0, distance_out_db=2.0),
        replace(GOOD, codec="opus-nofec", distance_in_db=1.0, distance_out_db=1.0),
    ]
    lossy = [
        replace(clean[0], network="loss 10 %", distance_in_db=2.5, distance_out_db=4.0),
        replace(clean[1], network="loss 10 %", distance_in_db=2.4, distance_out_db=2.5),
    ]
    found = verdicts([*clean, *lossy])
    assert [met for aim, met in found.items() if "FEC" in aim] == [True, False]
    assert not [aim for aim in verdicts(clean) if "FEC" in aim]


def test_the_table_has_a_line_for_each_network_and_a_column_for_each_codec() -> None:
    other = replace(GOOD, codec="opus", mos_in=4.0, way_in_max_ms=140, word_error_out=1.25)
    assert markdown([GOOD, LOSSY, other]).splitlines() == [
        "| network | MOS in, out | lost in (late), out % | way in, longest ms | PCMU | opus |",
        "| --- | --- | --- | --- | --- | --- |",
        "| none | 4.20, 4.30 | 0.0 (0.1), 0.0 | 80, 140 | 0.7, 0; 0.8, 0 | 0.7, 0; 0.8, 1.25 |",
        "| loss 3 % | 4.00, 4.30 | 3.0 (0.1), 0.0 | 80, 120 | 0.7, 0; 0.8, 0 |  |",
    ]
