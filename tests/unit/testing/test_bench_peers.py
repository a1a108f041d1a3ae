"""The parts of the peers bench that do not call anybody: playout, wire format, dates, figures."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from voicegw.audio.g711 import Law, encode
from voicegw.base.errors import LocalError, RemoteError
from voicegw.testing.bench._wire import Heard
from voicegw.testing.bench.peers import plan_of
from voicegw.testing.bench.rivals.environment import Environment
from voicegw.testing.bench.rivals.figures import figures, ratios, verdicts
from voicegw.testing.bench.rivals.line import audible_after, audible_before
from voicegw.testing.bench.rivals.measure import Step
from voicegw.testing.bench.rivals.playout import Playout
from voicegw.testing.bench.rivals.script import Spoken, date_line
from voicegw.testing.bench.rivals.systems import LIVEKIT, PIPECAT
from voicegw.testing.bench.rivals.usage import busy_ticks, pss_of, ticks_of
from voicegw.testing.bench.rivals.websocket import Opcode, Receiver, request
from voicegw.testing.bench.rivals.websocket import encode as encode_frame

LOUD = encode(np.full(160, 8000, np.int16), Law.ULAW).tobytes()
SILENT = encode(np.zeros(160, np.int16), Law.ULAW).tobytes()


class TestPlayout:
    def test_what_is_sent_ahead_is_heard_at_the_pace_of_speech(self) -> None:
        playout = Playout()
        playout.arrive(10.0, LOUD * 3)
        assert [piece.at for piece in playout.heard(10.03)] == [10.0, 10.02]
        assert [piece.at for piece in playout.heard(11.0)] == [10.0, 10.02, 10.04]

    def test_a_second_message_waits_for_the_first(self) -> None:
        playout = Playout()
        playout.arrive(10.0, LOUD * 2)
        playout.arrive(10.01, SILENT)
        last = playout.heard(20.0)[-1]
        assert last.at == pytest.approx(10.04) and last.peak == 0

    def test_after_a_gap_it_plays_on_arrival(self) -> None:
        playout = Playout()
        playout.arrive(10.0, LOUD)
        playout.arrive(12.0, LOUD)
        assert [piece.at for piece in playout.heard(20.0)] == [10.0, 12.0]

    def test_clear_forgets_what_was_not_played_and_frees_the_line(self) -> None:
        playout = Playout()
        playout.arrive(10.0, LOUD * 100)
        playout.clear(10.05)
        assert [piece.at for piece in playout.heard(20.0)] == [10.0, 10.02, 10.04]
        playout.arrive(10.06, LOUD)
        assert playout.heard(20.0)[-1].at == 10.06


class TestWebSocket:
    # RFC 6455 §1.3 has this pair of key and answer.
    NONCE = b"the sample nonce"
    ACCEPTED = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )

    def test_handshake_of_the_rfc(self) -> None:
        assert b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==" in request("localhost", "/ws", self.NONCE)
        receiver = Receiver(self.NONCE)
        assert receiver.feed(self.ACCEPTED[:40]) == [] and not receiver.open
        assert receiver.feed(self.ACCEPTED[40:] + b"\x81\x02hi")[0].payload == b"hi"

    @pytest.mark.parametrize("answer", [b"HTTP/1.1 403 Forbidden\r\n\r\n", ACCEPTED.replace(b"s3pP", b"XXXX")])
    def test_a_server_that_does_not_accept_is_an_error(self, answer: bytes) -> None:
        with pytest.raises(RemoteError):
            Receiver(self.NONCE).feed(answer)

    def test_masking_vector_of_the_rfc(self) -> None:
        # RFC 6455 §5.7: a single-frame masked text message.
        assert encode_frame(Opcode.TEXT, b"Hello", bytes.fromhex("37fa213d")).hex() == "818537fa213d7f9f4d5158"

    @pytest.mark.parametrize("length", [0, 125, 126, 65535, 65536])
    def test_every_form_of_length(self, length: int) -> None:
        frame = encode_frame(Opcode.BINARY, b"x" * length, bytes(4))
        # A mask of zeros changes nothing: without the mask bit it is what a server sends.
        head_end = len(frame) - length - 4
        served = bytes([frame[0], frame[1] & 0x7F]) + frame[2:head_end] + frame[head_end + 4 :]
        receiver = Receiver(self.NONCE)
        receiver.feed(self.ACCEPTED)
        assert receiver.feed(served[:-1]) == []
        (message,) = receiver.feed(served[-1:])
        assert message.opcode is Opcode.BINARY and message.payload == b"x" * length


HEARD = [Heard(at=1.0 + n * 0.02, peak=5000 if n < 10 or n >= 40 else 0) for n in range(50)]
"""Audible from 1.0 to 1.2 and from 1.8 to 2.0."""


class TestDates:
    def test_first_and_last_audible(self) -> None:
        after, before = audible_after(HEARD, 1.5), audible_before(HEARD, 1.5)
        assert after is not None and after.at == pytest.approx(1.8)
        assert before is not None and before.at == pytest.approx(1.18)
        assert audible_after(HEARD, 3.0) is None and audible_before(HEARD, 1.0) is None

    def test_an_interruption(self) -> None:
        spoken = date_line(HEARD, onset=1.1, end=1.7, interrupts=True)
        assert spoken is not None
        assert spoken.response_ms == pytest.approx(100)
        assert spoken.stop_ms == pytest.approx(80)
        assert not spoken.talked_over

    def test_an_agent_that_stopped_before_the_onset_stopped_at_once(self) -> None:
        spoken = date_line(HEARD, onset=1.3, end=1.7, interrupts=True)
        assert spoken is not None and spoken.stop_ms == 0

    def test_a_line_into_silence_stops_nobody(self) -> None:
        spoken = date_line(HEARD, onset=1.3, end=1.7, interrupts=False)
        assert spoken is not None and spoken.stop_ms is None

    def test_an_agent_that_speaks_at_the_end_has_talked_over_the_caller(self) -> None:
        spoken = date_line(HEARD, onset=1.3, end=1.9, interrupts=False)
        assert spoken is not None and spoken.talked_over

    def test_nothing_is_known_before_the_answer(self) -> None:
        assert date_line(HEARD, onset=2.1, end=2.5, interrupts=False) is None


def test_ticks_are_user_and_system_time_whatever_the_program_is_called() -> None:
    fields = " ".join(str(n) for n in range(3, 53))
    assert ticks_of(f"7 (a (b) c) S {fields}") == 13 + 14
    assert ticks_of("") == 0


def test_a_machine_is_busy_with_all_but_idling_and_disks() -> None:
    assert busy_ticks("cpu  1 2 4 800 1600 8 16 32 64 128") == 1 + 2 + 4 + 8 + 16 + 32


def test_pss_is_the_line_of_that_name() -> None:
    assert pss_of(["Rss: 900 kB", "Pss:  120 kB", "Pss_Anon: 80 kB"]) == 120
    assert pss_of([]) == 0


def spoken(response_ms: float, stop_ms: float | None, *, talked_over: bool = False) -> Spoken:
    stopped = None if stop_ms is None else stop_ms / 1000
    return Spoken(0.0, 1.0, 1.0 + response_ms / 1000, stopped, talked_over)


def step(name: str, calls: int, cores: float, kb: int, response_ms: float, stop_ms: float) -> Step:
    lines = [spoken(response_ms, None), spoken(response_ms, stop_ms)]
    return Step(name, calls, cores, kb, spoken=lines)


OURS = step("voicegw", 5, 0.002, 5000, 700, 60)
OURS_FAST = step("voicegw-fast", 5, 0.002, 5000, 500, 60)
PIPECAT_FAST = step("pipecat-fast", 5, 0.1, 60_000, 800, 220)
LIVEKIT_FAST = step("livekit-fast", 5, 0.03, 30_000, 850, 100)


class TestFigures:
    def test_lines_that_were_talked_over_have_no_response(self) -> None:
        one = Step("x", 1, spoken=[spoken(700, None), spoken(0, 50, talked_over=True)])
        assert one.responses_ms == [pytest.approx(700)] and one.talked_over == 1

    def test_memory_is_by_call_in_decimal_megabytes(self) -> None:
        assert OURS.mb_per_call == pytest.approx(1.024)

    def test_ratios_are_theirs_by_ours(self) -> None:
        assert ratios(PIPECAT_FAST, OURS) == {
            "cpu": 50.0,
            "memory": 12.0,
            "response_p50": 1.1,
            "barge_in_stop_p50": 3.7,
        }

    def test_a_ratio_to_nothing_is_none(self) -> None:
        assert ratios(PIPECAT_FAST, Step("voicegw", 5))["cpu"] == 0

    def test_all_aims_met(self) -> None:
        found = verdicts([OURS, PIPECAT_FAST, LIVEKIT_FAST])
        assert len(found) == 13 and all(found.values())

    def test_the_cheaper_row_of_a_rival_counts(self) -> None:
        thrifty = step("pipecat", 5, 0.01, 60_000, 900, 300)
        found = verdicts([OURS, PIPECAT_FAST, thrifty])
        assert not found["5 calls: pipecat needs at least 30 times our processor time"]

    def test_fast_rows_are_held_against_each_other(self) -> None:
        quick = step("pipecat-fast", 5, 0.1, 60_000, 600, 300)
        found = verdicts([OURS, OURS_FAST, quick])
        assert found["5 calls: voicegw-fast answers sooner than pipecat-fast, p50"]
        found = verdicts([OURS, quick])
        assert not found["5 calls: voicegw answers sooner than pipecat-fast, p50"]

    def test_memory_counts_at_every_number_of_calls_from_the_one_judged(self) -> None:
        found = verdicts([OURS, step("voicegw", 20, 0.001, 60_000, 700, 60)])
        assert not found["at most 2 MB a call"]

    def test_failures_are_told_and_no_aim_is_met_by_them(self) -> None:
        broken = Step("voicegw", 5, failures=["call 1: the call ended"])
        assert not any(verdicts([broken, PIPECAT_FAST]).values())
        found = verdicts([OURS, Step("pipecat", 5, failures=["it did not start"])])
        assert not found["5 calls: every system bore them"] and found["every call to voicegw went through"]

    def test_a_row_has_its_ratios(self) -> None:
        rows = figures([OURS, PIPECAT_FAST])["steps"]
        assert isinstance(rows, list)
        assert "ratios" not in rows[0] and rows[1]["ratios"]["cpu"] == 50.0


class TestPlan:
    def test_default_rows_stop_at_the_number_that_is_judged(self) -> None:
        plan = plan_of(["voicegw", "pipecat-fast"], [1, 5, 10, 20], every=False)
        assert plan == {"voicegw": [1, 5], "pipecat-fast": [1, 5, 10, 20]}

    def test_every_row_at_every_number(self) -> None:
        assert plan_of(["voicegw"], [1, 5, 10], every=True) == {"voicegw": [1, 5, 10]}

    def test_many_calls_alone_are_still_measured(self) -> None:
        assert plan_of(["voicegw"], [50, 100], every=False) == {"voicegw": [50]}


class TestEnvironments:
    @pytest.mark.parametrize(
        ("environment", "package"),
        [(PIPECAT, "pipecat-ai"), (LIVEKIT, "livekit-agents")],
        ids=["pipecat", "livekit"],
    )
    def test_rivals_are_pinned_and_driven(self, environment: Environment, package: str) -> None:
        assert environment.version_of(package)[0].isdigit()
        ast.parse(environment.driver.read_text(encoding="utf-8"))

    def test_what_is_not_pinned_is_an_error(self) -> None:
        with pytest.raises(LocalError):
            PIPECAT.version_of("torch")

    def test_locks_name_no_place_to_download_from(self) -> None:
        locks = list(Path(PIPECAT.driver.parent).glob("*.lock"))
        assert len(locks) == 2
        assert not [lock.name for lock in locks if "://" in lock.read_text(encoding="utf-8")]
