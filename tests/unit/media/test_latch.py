from __future__ import annotations

from voicegw.media.latch import SourceLatch

SDP = ("192.0.2.1", 4000)
NAT = ("198.51.100.7", 33333)
EVIL = ("203.0.113.66", 6666)


def latch() -> SourceLatch:
    made = SourceLatch(packets=5, window_s=0.5, gap_s=3.0)
    made.expect(SDP, now=0.0)
    return made


def offer(
    made: SourceLatch, address: tuple[str, int], count: int, *, now: float, ssrc: int = 1, first: int = 0
) -> int:
    """Offer consecutive packets every 20 ms, the locked source silent since 0; how many were believed."""
    return sum(made.admits(now + i * 0.02, address, ssrc, (first + i) & 0xFFFF, 0.0) for i in range(count))


def test_the_address_of_the_sdp_is_believed_at_once() -> None:
    made = latch()
    assert made.target == SDP
    assert made.admits(0.1, SDP, 1, 10, 0.0)
    assert (made.source, made.ssrc) == (SDP, 1)


def test_another_source_needs_consecutive_packets() -> None:
    made = latch()
    assert offer(made, NAT, 4, now=0.1) == 0
    assert made.target == SDP
    assert made.admits(0.2, NAT, 1, 4, 0.0)
    assert made.target == NAT


def test_gaps_other_ssrcs_and_slowness_start_the_count_again() -> None:
    made = latch()
    offer(made, NAT, 4, now=0.1)
    assert not made.admits(0.2, NAT, 1, 9, 0.0)  # a hole
    assert offer(made, NAT, 3, now=0.3, ssrc=2) == 0
    assert not any(made.admits(1.0 + 0.2 * i, NAT, 3, i, 0.0) for i in range(5))  # 5 packets in 0.8 s


def test_random_sources_cannot_keep_a_good_one_out() -> None:
    made = latch()
    believed = []
    for i in range(6):
        believed.append(made.admits(0.1, NAT, 1, i, 0.0))
        for j in range(0 if i == 0 else 20):
            made.admits(0.1, ("203.0.113.9", 1000 + j), 100 * i + j, 7 * j, 0.0)
    assert believed == [False] * 4 + [True, True]


def test_nothing_is_learned_while_the_locked_source_flows() -> None:
    made = latch()
    made.admits(0.1, SDP, 1, 0, 0.0)
    for i in range(500):
        now = 0.1 + i * 0.02
        assert not made.admits(now, EVIL, 9, i, heard_at=now)
    assert made.source == SDP


def test_another_address_is_learned_after_a_long_gap_only() -> None:
    made = latch()
    made.admits(0.1, SDP, 1, 0, 0.0)
    assert offer(made, NAT, 10, now=2.5) == 0
    assert offer(made, NAT, 5, now=3.5, first=100) == 1
    assert made.source == NAT


def test_the_same_address_may_change_its_ssrc_when_the_old_one_stopped() -> None:
    made = latch()
    made.admits(0.1, SDP, 1, 0, 0.0)
    assert not made.admits(1.0, SDP, 2, 50, heard_at=0.98)
    assert not made.admits(1.06, SDP, 2, 53, heard_at=0.98)
    assert made.admits(1.08, SDP, 2, 54, heard_at=0.98)
    assert made.ssrc == 2


def test_a_new_address_in_the_sdp_unlocks() -> None:
    made = latch()
    made.admits(0.1, SDP, 1, 0, 0.0)
    made.expect(NAT, now=10.0)
    assert made.source is None
    assert not made.admits(10.1, SDP, 1, 1, 10.0)
    assert made.admits(10.1, NAT, 5, 0, 10.0)


def test_a_session_refresh_keeps_the_lock_but_lets_the_peer_move() -> None:
    made = latch()
    offer(made, NAT, 5, now=0.1)
    made.expect(SDP, now=10.0)
    assert made.admits(10.1, NAT, 1, 5, 10.1)
    assert offer(made, EVIL, 10, now=20.0) == 10 - 4  # silent since 0: gone for long
    assert made.source == EVIL


def test_the_door_that_a_refresh_opens_closes_again() -> None:
    made = latch()
    made.admits(0.1, SDP, 1, 0, 0.0)
    made.expect(SDP, now=10.0)
    believed = [made.admits(12.5 + i * 0.02, EVIL, 9, i, heard_at=12.3) for i in range(10)]
    assert not any(believed)


def test_a_far_end_that_was_exchanged_does_not_keep_its_successor_out() -> None:
    made = latch()
    assert made.admits(0.1, SDP, 1, 10, 0.0)
    successor = ("192.0.2.9", 5000)
    made.expect(successor, now=1.0)
    assert offer(made, SDP, 6, now=1.02, first=20) == 2, "the old one goes on, and is learned again"
    assert not made.admits(1.2, successor, 7, 100, 1.2), "one packet is not enough to push it out"
    assert made.admits(1.22, successor, 7, 101, 1.2)
    assert made.source == successor
    assert not made.admits(1.24, SDP, 1, 30, 1.22)


def test_later_the_address_of_the_sdp_waits_like_everybody_else() -> None:
    made = latch()
    offer(made, NAT, 5, now=0.1)
    believed = [made.admits(6 + i * 0.02, SDP, 9, i, heard_at=6 + i * 0.02) for i in range(200)]
    assert not any(believed)
    assert made.source == NAT
    assert offer(made, SDP, 6, now=20.0, ssrc=9) == 2, "the learned one has gone"


def test_a_stranger_who_came_first_is_pushed_out_by_the_address_of_the_sdp() -> None:
    made = latch()
    assert offer(made, EVIL, 5, now=0.1) == 1
    assert made.target == EVIL
    assert [made.admits(0.3 + i * 0.02, SDP, 1, i, heard_at=0.3) for i in range(2)] == [False, True]
    assert not any(made.admits(0.4 + i * 0.02, EVIL, 1, 5 + i, heard_at=0.4 + i * 0.02) for i in range(100))
