"""How long a telephone hears nothing when its media worker dies, or stands still, and another one goes on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.interop.fault_server import MEDIA, FaultServer
from tests.interop.process import starved_threads_s
from tests.interop.rtp import longest_pause_s
from tests.interop.sound import speech_seconds

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

SECOND = 50
"""Packets."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultServer]:
    """A server with two media workers."""
    settings = {"media": {"workers": 2}}
    with FaultServer(tmp_path_factory.mktemp("gap"), settings=settings, expected=("media worker lost",)) as server:
        yield server


@pytest.mark.parametrize(
    ("fault", "most_s"),
    [pytest.param(signal.SIGKILL, 2.0, id="killed"), pytest.param(signal.SIGSTOP, 3.0, id="stopped")],
)
def test_a_call_is_silent_for_a_moment_only(house: FaultServer, fault: signal.Signals, most_s: float) -> None:
    """Packets count from where the telephone was told that they come from. A worker that says nothing is given up
    after one second, so that its calls are silent for longer; what a busy machine adds is taken off."""
    with house.phone() as phone:
        assert phone.dial() == 200
        phone.wait_heard(lambda samples: speech_seconds(samples) >= 0.5, 30)
        assert phone.remote is not None
        lost = house.worker_at(phone.remote[1])
        (other,) = {*house.workers(MEDIA)} - {lost}
        involved = (house.process.pid, other, os.getpid())
        waited_s, before = waiting_s(involved), len(phone.arrivals)
        begun_at = time.time()
        os.kill(lost, fault)
        house.wait_facts(phone, "MediaHasMoved")
        house.wait(lambda: sum(at > begun_at for at in phone.arrivals) >= 3 * SECOND, 30, "it is heard again")
        waited_s = waiting_s(involved) - waited_s
        pause_s = longest_pause_s(phone.arrivals[max(0, before - SECOND) :])
        print(f"{fault.name}: silent for {pause_s:.3f} s, of which {waited_s:.3f} s without a processor")
        phone.press("1234")
        house.wait_said(phone, "You pressed 1 2 3 4")
        phone.hang_up()
        house.wait_ended(phone)
    assert pause_s - waited_s < most_s
    assert lost not in house.workers(MEDIA)
    house.wait(lambda: len(house.workers(MEDIA)) == 2, 30, "its successor")


def waiting_s(pids: tuple[int, ...]) -> float:
    """For how long all threads of these have waited for a processor."""
    return sum(map(starved_threads_s, pids))
