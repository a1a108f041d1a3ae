"""What may be our own sound come back."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from voicegw.turn.echo_gate import EchoGate
from voicegw.turn.echo_gate_config import EchoGateConfig

ROW = np.array([0], np.intp)
NOISE_DBOV = -62.0


def talk(frames: int, seed: int = 1) -> list[float]:
    """Levels as of speech: syllables of five to twelve frames between -16 and -30 dBov, and pauses."""
    random, levels = np.random.default_rng(seed), list[float]()
    while len(levels) < frames:
        peak = random.uniform(-24, -16)
        levels += [peak - abs(random.normal(0, 4)) for _ in range(random.integers(5, 12))]
        levels += [NOISE_DBOV] * int(random.integers(1, 6))
    return levels[:frames]


def line(sent: list[float], lag: int, loss_db: float, between: float = 0.5) -> list[float]:
    """What comes back: each frame of echo is parts of two of ours, and there is noise."""
    powers = 10 ** (np.array([-127.0] * (lag + 1) + sent) / 10)
    echo = (1 - between) * powers[1:] + between * powers[:-1]
    return list(10 * np.log10(echo[: len(sent)] * 10 ** (-loss_db / 10) + 10 ** (NOISE_DBOV / 10)))


def hear(gate: EchoGate, sent: list[float], heard: list[float]) -> NDArray[np.bool_]:
    """Which frames were more than echo."""
    own = []
    for ours, theirs in zip(sent, heard, strict=True):
        own.append(gate.own(ROW, np.array([theirs], np.float32))[0])
        gate.sent(ROW, np.array([ours], np.float32))
    return np.array(own)


@pytest.mark.parametrize("lag", [3, 9, 14, 20])
@pytest.mark.parametrize("between", [0.0, 0.3, 0.9])
def test_an_echo_of_any_delay_is_nobodys_own_from_its_first_frame(lag: int, between: float) -> None:
    sent = talk(1500)
    heard = np.array(line(sent, lag, 20, between))
    loud = heard > -50
    assert np.mean(hear(EchoGate(1), sent, list(heard))[loud]) < 0.03


def test_the_loss_of_the_line_is_learned() -> None:
    sent, gate = talk(1500), EchoGate(1)
    hear(gate, sent, line(sent, 10, 25))
    assert gate.loss_db(0) == pytest.approx(25, abs=4)
    gate.reset(0)
    assert gate.loss_db(0) == EchoGateConfig().first_loss_db


def test_somebody_who_is_as_loud_as_we_are_is_heard_over_the_echo() -> None:
    sent, gate = talk(1500), EchoGate(1)
    heard = np.array(line(sent, 10, 20))
    heard[1000:1100] = -22.0
    assert hear(gate, sent, list(heard))[1000:1100].mean() > 0.95


def test_a_line_without_echo_hides_nobody_however_low_their_voice() -> None:
    sent, gate = talk(1500), EchoGate(1)
    heard = [NOISE_DBOV] * 1500
    heard[200:300] = [-40.0] * 100
    assert hear(gate, sent, heard)[200:300].mean() > 0.9, "after four seconds it is known that nothing comes back"


def test_while_we_are_silent_everything_is_somebodys_own() -> None:
    gate = EchoGate(1)
    assert hear(gate, [-127.0] * 50, [-60.0] * 50).all()


def test_lost_packets_do_not_make_it_forget_the_echo() -> None:
    sent, gate = talk(1500), EchoGate(1)
    heard = np.array(line(sent, 10, 20))
    heard[::10] = -127.0
    loud = heard > -50
    assert np.mean(hear(gate, sent, list(heard))[loud]) < 0.05


def test_a_line_that_changes_is_learned_anew() -> None:
    sent, gate = talk(3000), EchoGate(1)
    clean = [NOISE_DBOV] * 1000
    heard = np.array(clean + line(sent, 10, 20)[1000:])
    own = hear(gate, sent, list(heard))
    late, loud = slice(2400, 3000), heard[2400:3000] > -50
    assert own[late][loud].mean() < 0.1


def test_rows_are_apart() -> None:
    gate, rows = EchoGate(2), np.array([0, 1], np.intp)
    for _ in range(100):
        gate.own(rows, np.array([-62, -20], np.float32))
        gate.sent(rows, np.array([-20, -127], np.float32))
    assert gate.own(rows, np.array([-25, -62], np.float32)).tolist() == [True, True]
    assert gate.loss_db(0) > gate.loss_db(1)
