"""Our call rings two phones behind Kamailio: an early dialog each, with PRACK and media of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.cluster_calls import until
from tests.interop.kamailio_peer import Kamailio
from tests.interop.live_gateway import OUT, LiveGateway
from tests.interop.rtp import RtpPeer
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import seconds_with, tone
from voicegw.base.causes import HangupCause
from voicegw.gateway.events import LegAnswered, LegEarlyMedia, LegEnded
from voicegw.sip.counters import SipCounter
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

OUR_HZ, ONE_HZ, TWO_HZ = 1000, 1400, 1900


class Forks:
    """The gateway, the proxy, and two phones; the second one rings a little later."""

    def __init__(self, work: Path, stack: ExitStack) -> None:
        self._work = work
        self._stack = stack
        self.gateway = stack.enter_context(LiveGateway())
        self.ours, self.one, self.two = (stack.enter_context(RtpPeer()) for _ in range(3))
        ports = [free_port(), free_port()]
        self._ports = ports
        hosts = {name: f"127.0.0.1:{port}" for name, port in zip(("one", "two"), ports, strict=True)}
        self._proxy = stack.enter_context(Kamailio(work, "fork", **hosts))

    def ring(self, first: str, second: str) -> tuple[Sipp, Sipp]:
        """Call; the phones follow these scenarios."""
        phones = (
            self._phone(first, 0, self.one, early_ms="200", rseq="11"),
            self._phone(second, 1, self.two, early_ms="2500", rseq="7000"),
        )
        self.gateway.dial(self._proxy.port, self.ours.port)
        return phones

    def _phone(self, scenario: str, place: int, media: RtpPeer, **values: str) -> Sipp:
        given = {"rtp_port": str(media.port), "answer_ms": "1000"} | values
        sipp = Sipp(self._work, scenario, port=self._ports[place], values=given)
        return self._stack.enter_context(sipp).listening()


@pytest.fixture
def forks(tmp_path: Path) -> Iterator[Forks]:
    with ExitStack() as stack:
        yield Forks(tmp_path, stack)


@pytest.mark.parametrize("loser", ["fork_cancelled", "fork_answers_late"])
def test_two_phones_ring_and_one_gets_the_call(forks: Forks, loser: str) -> None:
    one, two = forks.ring(loser, "fork_answers")
    gateway = forks.gateway
    first = gateway.expect(LegEarlyMedia).session
    assert first.remote_port == forks.one.port
    forks.one.start(("127.0.0.1", forks.ours.port), tone(ONE_HZ, 30))
    forks.ours.start(("127.0.0.1", first.remote_port), tone(OUR_HZ, 1))
    until(lambda: seconds_with(forks.ours.heard(), ONE_HZ) >= 0.3, "the first phone is heard")
    second = gateway.expect(LegEarlyMedia).session
    assert second.remote_port == forks.two.port, "who rings last is heard"
    forks.two.start(("127.0.0.1", forks.ours.port), tone(TWO_HZ, 30))
    answered = gateway.expect(LegAnswered).session
    assert answered == second
    forks.ours.start(("127.0.0.1", answered.remote_port), tone(OUR_HZ, 30))
    until(lambda: seconds_with(forks.two.heard(), OUR_HZ) >= 1.0, "we are heard")
    until(lambda: seconds_with(forks.ours.heard(), TWO_HZ) >= 1.0, "the second phone is heard")
    gateway.do(lambda it: it.hangup(OUT, HangupCause.AGENT_HANGUP))
    assert gateway.expect(LegEnded).cause is HangupCause.AGENT_HANGUP
    one.passed()
    two.passed()
    assert gateway.counters.get(SipCounter.EXTRA_FORK) == (loser == "fork_answers_late")
