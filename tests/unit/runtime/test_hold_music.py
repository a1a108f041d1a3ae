from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np

from tests.unit.media.rig import tone
from voicegw.audio import wav
from voicegw.base.ids import CallId, UtteranceId
from voicegw.call.edges import MUSIC
from voicegw.media import messages as m
from voicegw.runtime.announcer import AnnouncerLinks
from voicegw.runtime.hold_music import PIECE_S, HoldMusic
from voicegw.runtime.music import load_music

CALL = CallId("call")


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
    file.write_bytes(wav.make(8000, tone(500, 8000 * 60)))
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
    heard, whole = worker.heard(0, 1, 2), tone(500, 8000 * 60)
    assert np.array_equal(heard[8000:], whole[8000 : round(3 * PIECE_S * 8000)])
    assert np.abs(heard[:8]).max() < 20, "faded in once"


def test_it_begins_anew_where_it_was_left(tmp_path: Path) -> None:
    worker, music = hold(tmp_path)
    music.play()
    first = worker.pieces[0].utterance_id
    music.stop()
    music.stop()
    assert worker.sent[2:] == [m.CutPlayout(CALL, MUSIC)]
    assert not music.ended(first) and not music.ended(UtteranceId("another"))
    music.play()
    assert np.abs(worker.heard(2)[:8]).max() < 20, "faded in again"
    assert len(worker.pieces) == 4


def test_without_music_nothing_is_played(tmp_path: Path) -> None:
    worker, _ = hold(tmp_path)
    links = AnnouncerLinks(CALL, MUSIC, cast(Any, None), cast(Any, None), cast(Any, worker), worker.random)
    silent = HoldMusic(links, None, lambda: 8000)
    silent.play()
    silent.stop()
    assert not silent.there and not worker.sent
