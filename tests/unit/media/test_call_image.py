"""A call that is built again in another media worker."""

from __future__ import annotations

from msgspec import structs

from voicegw.base.ids import CallId, LegId, UtteranceId
from voicegw.media import messages as m
from voicegw.media.call_image import CallImage

CALL, LEG, DESK = CallId("call"), LegId("leg"), LegId("desk")
FIRST, SECOND = UtteranceId("first"), UtteranceId("second")
SECOND_OF_PCM = bytes(range(256)) * 62 + bytes(128)
"""8000 samples."""
MIX = m.SetMix(CALL, (("agent", "leg", 1.0),))


def talking() -> CallImage:
    """A leg to whom two utterances are said; the first began at 100 s."""
    image = CallImage(CALL)
    image.note(m.OpenLeg(LEG, CALL, "192.0.2.1"))
    image.note(m.ConfigureLeg(LEG, "192.0.2.9", 4000, "PCMU", 0))
    image.note(MIX)
    image.note(m.QueueAudio(CALL, FIRST, SECOND_OF_PCM))
    image.note(m.QueueAudio(CALL, FIRST, SECOND_OF_PCM, final=True))
    image.note(m.QueueAudio(CALL, SECOND, SECOND_OF_PCM, interruptible=False))
    assert image.see(m.PlayoutStarted(CALL, FIRST, 100.0)) is not None
    return image


def queued(image: CallImage) -> list[m.QueueAudio]:
    return [command for command in image.replay() if isinstance(command, m.QueueAudio)]


def test_everything_is_set_up_as_it_was_and_the_utterance_goes_on_where_it_was() -> None:
    image = talking()
    assert image.lose(alive_at=100.5, now=101.0) == []
    configure, mix, first, second = image.replay()
    assert (configure, mix) == (m.ConfigureLeg(LEG, "192.0.2.9", 4000, "PCMU", 0), MIX)
    whole = SECOND_OF_PCM * 2
    assert first == m.QueueAudio(CALL, FIRST, whole[8000:], True, True)
    assert second == m.QueueAudio(CALL, SECOND, SECOND_OF_PCM, False, False)


def test_how_far_an_encrypted_stream_has_come_is_known_to_the_next_worker_until_the_peer_changes_its_key() -> None:
    image = talking()
    secured = m.ConfigureLeg(LEG, "192.0.2.9", 4000, "PCMU", 0, srtp=m.LegKeys("suite", b"ours", b"theirs"))
    image.note(secured)
    assert image.see(m.KeystreamReached(LEG, 7, 70_000)) is None
    held = structs.replace(secured, send=False)
    image.note(held)
    assert image.replay()[0] == structs.replace(held, heard_ssrc=7, heard_to=70_000)
    changed = structs.replace(secured, srtp=m.LegKeys("suite", b"ours", b"others"))
    image.note(changed)
    assert image.replay()[0] == changed


def test_positions_count_from_the_beginning_and_what_began_does_not_begin_again() -> None:
    image = talking()
    image.lose(100.5, 101.0)
    assert image.see(m.PlayoutStarted(CALL, FIRST, 102.0)) is None
    paused = image.see(m.PlayoutPaused(CALL, FIRST, 800, 102.1))
    assert paused == m.PlayoutPaused(CALL, FIRST, 4800, 102.1)
    assert image.see(m.PlayoutCut(CALL, FIRST, 800, 12000, 102.2)) == m.PlayoutCut(CALL, FIRST, 4800, 16000, 102.2)
    assert image.see(m.PlayoutStarted(CALL, SECOND, 103.0)) == m.PlayoutStarted(CALL, SECOND, 103.0)
    assert image.see(m.PlayoutFinished(CALL, SECOND, 8000, 104.0)) == m.PlayoutFinished(CALL, SECOND, 8000, 104.0)
    assert queued(image) == []


def test_a_third_worker_goes_on_where_the_second_was() -> None:
    image = talking()
    image.lose(100.5, 101.0)
    image.see(m.PlayoutStarted(CALL, FIRST, 102.0))
    image.lose(102.25, 102.5)
    assert len(queued(image)[0].pcm) == 2 * (16000 - 4000 - 2000)


def test_a_paused_utterance_stays_paused_where_it_was() -> None:
    image = talking()
    image.see(m.PlayoutPaused(CALL, FIRST, 1600, 100.2))
    image.note(m.PausePlayout(CALL))
    image.lose(105.0, 105.0)
    pause = image.replay().index(m.PausePlayout(CALL))
    assert len(queued(image)[0].pcm) == 2 * (16000 - 1600)
    assert pause < image.replay().index(queued(image)[0]), "nothing of it is heard before"
    image.note(m.ResumePlayout(CALL))
    assert m.PausePlayout(CALL) not in image.replay()
    image.see(m.PlayoutResumed(CALL, FIRST, 106.0))
    image.lose(106.1, 106.2)
    assert len(queued(image)[0].pcm) == 2 * (16000 - 1600 - 800)


def test_nothing_is_said_that_was_cut_and_the_call_hears_how_much_of_it_was_heard() -> None:
    image = talking()
    image.note(m.CutPlayout(CALL))
    (cut, nothing) = image.lose(101.0, 101.5)
    assert cut == m.PlayoutCut(CALL, FIRST, 8000, 16000, 101.5)
    assert nothing == m.PlayoutCut(CALL, SECOND, 0, 8000, 101.5)
    assert queued(image) == []


def test_what_the_dead_worker_owed_is_told_in_its_place() -> None:
    image = talking()
    image.see(m.SpeechStarted(LEG, 100.0, 99.9, paused=False))
    image.note(m.SendDtmf(LEG, "12"))
    image.note(m.OpenLeg(DESK, CALL, "192.0.2.1"))
    image.note(m.CloseLeg(DESK))
    assert image.lose(100.5, 101.0) == [
        m.SpeechStopped(LEG, 101.0, 100.5),
        m.DtmfSent(LEG, ""),
        m.LegClosed(DESK, m.LegStats()),
    ]
    assert image.lose(100.5, 101.0) == [], "once"
    assert not image.over
    image.note(m.CloseLeg(LEG))
    assert not image.over, "its statistics are to come"
    image.see(m.LegClosed(LEG, m.LegStats()))
    assert image.over


def test_positions_are_of_8_khz_whatever_the_rate_of_the_audio() -> None:
    image = CallImage(CALL)
    image.note(m.QueueAudio(CALL, FIRST, SECOND_OF_PCM * 2, final=True, rate_hz=16000))
    image.see(m.PlayoutStarted(CALL, FIRST, 100.0))
    image.lose(100.25, 100.5)
    (rest,) = queued(image)
    assert (len(rest.pcm), rest.rate_hz) == (2 * 12000, 16000)
    finished = image.see(m.PlayoutFinished(CALL, FIRST, 6000, 102.0))
    assert finished == m.PlayoutFinished(CALL, FIRST, 8000, 102.0)


def test_another_voice_has_a_queue_of_its_own() -> None:
    image = talking()
    image.note(m.QueueAudio(CALL, UtteranceId("ring"), b"\1\0" * 8, final=True, voice="announcer"))
    image.note(m.CutPlayout(CALL))
    assert [one.voice for one in queued(image)] == ["announcer"]
    assert image.see(m.PlayoutStarved(CALL, UtteranceId("other"), 5, 1.0)) is not None, "not ours to judge"
