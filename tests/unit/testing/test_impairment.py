"""The model of a bad network: the figures that it is asked for, and what the relay makes of them."""

from __future__ import annotations

import socket
import time

import numpy as np
import pytest

from voicegw.testing.impairment import CATALOGUE, NONE, ImpairedPath, Impairment
from voicegw.testing.impairment_relay import ImpairmentRelay

PACKETS = 20_000


def carried(impairment: Impairment, seed: int = 1) -> list[tuple[float, ...]]:
    path = ImpairedPath(impairment, seed)
    return [path.arrivals(number * 0.02) for number in range(PACKETS)]


@pytest.mark.parametrize("burst", [1.0, 4.0])
@pytest.mark.parametrize("loss", [0.01, 0.03, 0.10])
def test_so_much_is_lost_and_in_such_runs(loss: float, burst: float) -> None:
    lost = np.array([not each for each in carried(Impairment(loss=loss, burst_packets=burst))])
    runs = np.count_nonzero(np.diff(np.concatenate([[0], lost.astype(int)])) == 1)
    assert lost.mean() == pytest.approx(loss, rel=0.2)
    assert lost.sum() / runs == pytest.approx(burst + (loss if burst == 1 else 0), rel=0.15)


@pytest.mark.parametrize("jitter_ms", [20.0, 60.0])
def test_delays_vary_and_nothing_is_overtaken(jitter_ms: float) -> None:
    arrivals = np.array([each[0] for each in carried(Impairment(jitter_ms=jitter_ms))])
    delays_ms = (arrivals - np.arange(PACKETS) * 0.02) * 1000
    assert (np.diff(arrivals) >= 0).all()
    assert delays_ms.min() >= 20
    assert 0.5 * jitter_ms < delays_ms.std() < 1.2 * jitter_ms


def test_some_are_overtaken_and_some_come_twice() -> None:
    once = [each[0] for each in carried(Impairment(reordered=0.05))]
    assert np.count_nonzero(np.diff(once) < 0) == pytest.approx(0.05 * PACKETS, rel=0.2)
    twice = [len(each) for each in carried(Impairment(duplicated=0.05))]
    assert twice.count(2) == pytest.approx(0.05 * PACKETS, rel=0.2)


def test_the_same_seed_is_the_same_network() -> None:
    for impairment in CATALOGUE.values():
        assert carried(impairment, 7)[:500] == carried(impairment, 7)[:500]
    assert carried(CATALOGUE["all of it"], 7) != carried(CATALOGUE["all of it"], 8)


def test_a_relay_carries_both_ways() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        for sock in (near, far):
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(30)
        with ImpairmentRelay(("127.0.0.1", 0), far.getsockname(), NONE, 1) as relay:
            sent_at = time.monotonic()
            near.sendto(b"there", ("127.0.0.1", relay.port))
            data, source = far.recvfrom(100)
            assert data == b"there"
            assert time.monotonic() - sent_at >= 0.02
            far.sendto(b"and back", source)
            assert near.recv(100) == b"and back"
            assert relay.peer == near.getsockname()
        assert (relay.received, relay.delivered) == (2, 2)
        assert sent_at <= relay.there.began_at < relay.back.began_at


def test_a_relay_counts_each_way() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        for sock in (near, far):
            sock.bind(("127.0.0.1", 0))
            sock.settimeout(30)
        with ImpairmentRelay(("127.0.0.1", 0), far.getsockname(), Impairment(duplicated=1), 1) as relay:
            assert relay.peer is None
            for _ in range(2):
                near.sendto(b"there", ("127.0.0.1", relay.port))
            for _ in range(4):
                _, source = far.recvfrom(100)
            far.sendto(b"and back", source)
            near.recv(100)
            near.recv(100)
        assert (relay.there.received, relay.back.received, relay.delivered) == (2, 1, 6)
        assert relay.lost == relay.there.lost == relay.back.lost == 0
