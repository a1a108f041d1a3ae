from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np

from voicegw.audio import wav
from voicegw.base.ids import CallId, UtteranceId
from voicegw.call.edges import MUSIC
from voicegw.media import messages as m
from voicegw.runtime.announcer import AnnouncerLinks
from voicegw.runtime.hold_music import PIECE_S, HoldMusic
from voicegw.runtime.music import load_music

CALL = CallId("call")
WHOLE = np.random.default_rng(1).integers(-8000, 8000, 8000 * 60).astype(np.int16)
"""No place of it is like another."""


class Worker:
    """What it was sent."""

    def __init__(self) -> None:
        self.sent: list[m.Command] = []
        self._ids = 0

    def send(self, command: m.Command) -> None:
        self.sent.append(command)

    def random(self, count: int) -> bytes:
        self._ids += 1
        return self._ids.to_bytes(count, "big")

    @property
    def pieces(self) -> list[m.QueueAudio]:
        return [command for command in self.sent if isinstance(command, m.QueueAudio)]

    def heard(self, *places: int) -> np.ndarray:
        return np.frombuffer(b"".join(self.pieces[place].pcm for place in places), np.int16)


def hold(tmp_path: Path) -> tuple[Worker, HoldMusic]:
    file = tmp_path / "hold.wav"
    file.write_bytes(wav.make(8000, WHOLE))
    worker = Worker()
    links = AnnouncerLinks(CALL, MUSIC, cast(Any, None), cast(Any, None), cast(Any, worker), worker.random)
    return worker, HoldMusic(links, load_music(str(file)), lambda: 8000)


def test_pieces_join_without_a_gap(tmp_path: Path) -> None:
    worker, music = hold(tmp_path)
    music.play()
    music.play()
    assert len(worker.pieces) == 2, "one plays, one waits"
    assert music.ended(worker.pieces[0].utterance_id)
    assert len(worker.pieces) == 3 and all(piece.final and piece.voice == MUSIC for piece in worker.pieces)
    heard, whole = worker.heard(0, 1, 2), WHOLE
    assert np.array_equal(heard[8000:], whole[8000 : round(3 * PIECE_S * 8000)])
    assert np.abs(heard[:8]).max() < 60, "faded in once"


def test_it_begins_anew_where_it_was_left(tmp_path: Path) -> None:
    worker, music = hold(tmp_path)
    music.play()
    assert music.ended(worker.pieces[0].utterance_id)
    left = worker.pieces[1].utterance_id
    music.stop()
    music.stop()
    assert worker.sent[3:] == [m.CutPlayout(CALL, MUSIC)]
    music.was_cut(worker.pieces[0].utterance_id, 8000)
    music.was_cut(left, 3 * 8000)
    music.was_cut(worker.pieces[2].utterance_id, 0)
    assert not music.ended(left) and not music.ended(UtteranceId("another"))
    music.play()
    assert len(worker.pieces) == 5
    heard, begin = worker.heard(3, 4), round((PIECE_S + 3) * 8000)
    assert np.array_equal(heard[8000:], WHOLE[begin + 8000 : begin + len(heard)])
    assert np.abs(heard[:8]).max() < 60, "faded in again"


def test_a_piece_that_ended_as_it_was_to_be_cut_is_not_heard_again(tmp_path: Path) -> None:
    worker, music = hold(tmp_path)
    music.play()
    music.stop()
    assert not music.ended(worker.pieces[0].utterance_id)
    music.was_cut(worker.pieces[1].utterance_id, 80)
    music.play()
    heard, begin = worker.heard(2, 3), round(PIECE_S * 8000)
    assert np.array_equal(heard[8000:], WHOLE[begin + 8000 : begin + len(heard)])


def test_who_waits_again_before_it_is_known_what_was_heard_misses_none_of_it(tmp_path: Path) -> None:
    worker, music = hold(tmp_path)
    music.play()
    assert music.ended(worker.pieces[0].utterance_id)
    music.stop()
    music.play()
    music.was_cut(worker.pieces[1].utterance_id, 8000)
    assert music.ended(worker.pieces[3].utterance_id)
    heard, begin = worker.heard(3, 4, 5), round(PIECE_S * 8000)
    assert np.array_equal(heard[8000:], WHOLE[begin + 8000 : begin + len(heard)])


def test_without_music_nothing_is_played(tmp_path: Path) -> None:
    worker, _ = hold(tmp_path)
    links = AnnouncerLinks(CALL, MUSIC, cast(Any, None), cast(Any, None), cast(Any, worker), worker.random)
    silent = HoldMusic(links, None, lambda: 8000)
    silent.play()
    silent.stop()
    assert not silent.there and not worker.sent
