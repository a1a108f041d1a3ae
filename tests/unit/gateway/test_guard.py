"""The guard's policy: who is heard, who gets silence, and for how long. Time is a number here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from voicegw.base.errors import ConfigError
from voicegw.base.metrics import Counters
from voicegw.gateway import guard as guard_module
from voicegw.gateway.guard import Ban, BanReason, Guard, names_scanner
from voicegw.gateway.guard_config import GuardConfig
from voicegw.gateway.token_bucket import Rate, TokenBucket
from voicegw.sip.address import Address
from voicegw.sip.counters import SipCounter

STRANGER = Address("198.51.100.4", 5060)
OTHER = Address("198.51.100.5", 5060)
TRUNK = Address("203.0.113.1", 5060)
INVITE = b"INVITE sip:x@y SIP/2.0\r\nUser-Agent: Snom\r\n\r\n"
CONFIG = GuardConfig(stranger_per_s=10, stranger_burst=20, strangers_per_s=100, flood_messages=50, refusals=5)


class House:
    """A guard and what it told."""

    def __init__(self, config: GuardConfig = CONFIG, trunks: dict[str, Rate] | None = None) -> None:
        self.counters = Counters()
        self.bans: list[Ban] = []
        self.guard = Guard(config, self.counters, self.bans.append, (trunks or {}).get)

    def heard(self, source: Address, count: int, now: float, data: bytes = INVITE) -> int:
        """How many of ``count`` messages get through."""
        return sum(self.guard.admits(data, source, now) for _ in range(count))


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(Rate(8.0, 3.0), 5.0)
    assert [bucket.take(5.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(5.125), bucket.take(5.125)] == [True, False]
    assert not bucket.take(4.0)
    assert [bucket.take(99.0) for _ in range(4)] == [True, True, True, False]


def test_a_stranger_is_heard_up_to_its_rate() -> None:
    house = House()
    assert house.heard(STRANGER, 30, 1.0) == 20
    assert house.heard(STRANGER, 30, 2.0) == 10
    assert house.counters.get(SipCounter.GUARD_RATE) == 30
    assert house.heard(OTHER, 5, 2.0) == 5


def test_long_messages_of_strangers_count_for_several() -> None:
    house = House()
    assert house.heard(STRANGER, 10, 1.0, INVITE.replace(b"Snom", b"s" * 20_000)) == 2
    assert house.heard(OTHER, 10, 1.0, b"x" * 65_000) == 0


def test_all_strangers_together_have_a_rate_of_their_own() -> None:
    house = House()
    assert (
        sum(house.guard.admits(INVITE, Address(f"10.0.{n // 250}.{n % 250}", 5060), 0.0) for n in range(500)) == 100
    )
    assert house.counters.get(SipCounter.GUARD_STRANGERS) == 400
    assert house.guard.admits(INVITE, STRANGER, 0.01), "and it is there again at once"


def test_who_has_a_call_is_heard_whatever_strangers_do() -> None:
    house = House()
    house.guard.acquaint(TRUNK)
    for n in range(300):
        house.guard.admits(INVITE, Address(f"10.1.{n // 250}.{n % 250}", 5060), 1.0)
    assert house.heard(TRUNK, 1000, 1.0) == 1000
    house.guard.part(TRUNK)
    assert house.guard.is_known(TRUNK)
    assert house.heard(TRUNK, 1000, 3000.0) == 1000
    house.heard(STRANGER, 1, 4000.0)
    assert not house.guard.is_known(TRUNK), "an hour later it is a stranger again"


def test_a_call_that_lasts_for_days_keeps_its_peer_known() -> None:
    house = House()
    house.guard.acquaint(TRUNK)
    assert house.heard(TRUNK, 100, 200_000.0) == 100


def test_trunks_have_rates_of_their_own() -> None:
    house = House(trunks={TRUNK.host: Rate(50.0, 70.0)})
    assert house.heard(TRUNK, 200, 0.0) == 70
    assert house.heard(TRUNK, 200, 1.0) == 50
    assert house.guard.is_known(TRUNK)
    assert house.heard(Address("127.0.0.1", 9), 10_000, 0.0) == 10_000


def test_a_trunk_that_comes_later_is_known_after_forgetting() -> None:
    trunks: dict[str, Rate] = {}
    guard = Guard(CONFIG, Counters(), rate_of=trunks.get)
    assert not guard.is_known(TRUNK)
    trunks[TRUNK.host] = Rate(1.0, 1.0)
    guard.forget_trunks()
    assert guard.is_known(TRUNK)


def test_whose_address_becomes_a_trunks_is_ignored_no_longer() -> None:
    trunks: dict[str, Rate] = {}
    guard = Guard(CONFIG, Counters(), rate_of=trunks.get)
    for _ in range(500):
        guard.admits(INVITE, TRUNK, 0.0)
    assert not guard.admits(INVITE, TRUNK, 1.0)
    trunks[TRUNK.host] = Rate(1.0, 1.0)
    guard.forget_trunks()
    assert guard.admits(INVITE, TRUNK, 2.0)


def test_a_scanner_is_never_answered() -> None:
    house = House()
    scan = b"OPTIONS sip:100@y SIP/2.0\r\nUser-agent : Friendly-Scanner\r\n\r\n"
    assert house.heard(STRANGER, 3, 1.0, scan) == 0
    assert [(ban.host, ban.reason) for ban in house.bans] == [(STRANGER.host, BanReason.SCANNER)]
    assert house.heard(STRANGER, 3, 2.0) == 0, "nor by another name"
    assert house.heard(STRANGER, 3, 1.0 + CONFIG.ban_s) == 3
    assert house.counters.get(SipCounter.GUARD_BANNED) == 6


def test_the_name_of_a_scanner_elsewhere_means_nothing() -> None:
    assert not names_scanner(b"INVITE sip:friendly-scanner@x SIP/2.0\r\nUser-Agent: Snom\r\n\r\n", ("friendly",))
    assert not names_scanner(b"INVITE sip:x SIP/2.0\r\n\r\nsipvicious", ("sipvicious",))
    assert names_scanner(b"INVITE sip:x SIP/2.0\r\nUser-Agent: sipvicious 0.3", ("sipvicious",))


def test_trusted_addresses_may_scan() -> None:
    house = House()
    scan = b"OPTIONS sip:100@y SIP/2.0\r\nUser-Agent: friendly-scanner\r\n\r\n"
    assert house.heard(Address("127.0.0.1", 5060), 5, 1.0, scan) == 5


def test_refusals_add_up_to_silence_and_are_forgiven_one_by_one() -> None:
    house = House()
    for n in range(5):
        house.guard.note_answer(404, STRANGER, float(n))
    assert not house.bans
    house.guard.note_answer(404, STRANGER, 5.0)
    assert house.bans == [Ban(STRANGER.host, BanReason.REFUSALS, 5.0 + CONFIG.ban_s)]
    assert not house.guard.admits(INVITE, STRANGER, 6.0)
    for n in range(20):
        house.guard.note_answer(404, OTHER, n * CONFIG.refusal_forgotten_s)
    assert len(house.bans) == 1


@pytest.mark.parametrize("status", [180, 200, 401, 407, 486, 487, 488, 491, 503, 600])
def test_what_happens_to_honest_callers_is_no_offence(status: int) -> None:
    house = House()
    for _ in range(100):
        house.guard.note_answer(status, STRANGER, 0.0)
    assert not house.bans


def test_who_has_a_call_and_who_is_trusted_is_not_banned_for_refusals() -> None:
    house = House(trunks={TRUNK.host: Rate(1.0, 1.0)})
    house.guard.acquaint(STRANGER)
    for _ in range(100):
        house.guard.note_answer(404, STRANGER, 0.0)
        house.guard.note_answer(404, TRUNK, 0.0)
    assert not house.bans


def test_a_flood_from_one_address_is_banned_and_a_burst_is_not() -> None:
    house = House()
    for second in range(20):
        house.heard(STRANGER, 30, second * 10.0)
    assert not house.bans
    house.heard(OTHER, 500, 0.0)
    assert [ban.reason for ban in house.bans] == [BanReason.FLOOD]


def test_a_pardon() -> None:
    house = House()
    house.heard(STRANGER, 500, 0.0)
    assert [ban.host for ban in house.guard.snapshot(1.0).bans] == [STRANGER.host]
    assert house.guard.pardon(STRANGER.host)
    assert not house.guard.pardon(STRANGER.host)
    assert house.guard.snapshot(1.0).bans == ()
    assert house.guard.admits(INVITE, STRANGER, 1.0)


def test_memory_is_bounded_whoever_sends() -> None:
    house = House(replace(CONFIG, strangers_per_s=1e9))
    for n in range(50_000):
        house.guard.admits(INVITE, Address(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 5060), n / 1000)
    assert house.guard.snapshot(50.0).strangers <= 20_000
    for n in range(12_000):
        source = Address(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 5060)
        house.guard.acquaint(source)
        house.guard.part(source)
    assert house.guard.snapshot(50.0).acquainted <= 10_000


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ConfigError):
        GuardConfig(trusted=("example.com",))
    with pytest.raises(ConfigError):
        GuardConfig(strangers_per_s=0)
    with pytest.raises(ConfigError):
        GuardConfig(scanners=("SIPVicious",))


def test_a_flood_of_forged_scanners_fills_the_table_and_is_not_searched_for_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guard_module, "_MOST_BANS", 3)
    house, scan = House(), INVITE.replace(b"Snom", b"friendly-scanner")
    for number in range(4):
        assert not house.heard(Address(f"192.0.2.{number}", 5060), 1, float(number), scan)
    known = house.guard._bans
    for number in range(4, 200):
        assert not house.heard(Address(f"192.0.2.{number}", 5060), 1, 4.0, scan)
    assert house.guard._bans is known and len(house.bans) == 3
    over = CONFIG.ban_s
    assert not house.heard(Address("192.0.2.250", 5060), 1, over, scan)
    assert not house.heard(Address("192.0.2.251", 5060), 1, over, scan)
    assert [ban.host for ban in house.bans[3:]] == ["192.0.2.250"], "one is over, the next one in a second"
    assert house.guard.pardon("192.0.2.250")
    house.heard(Address("192.0.2.251", 5060), 1, over, scan)
    assert house.bans[-1].host == "192.0.2.251"


def test_an_administrator_bans_and_pardons() -> None:
    house = House(trunks={TRUNK.host: Rate(10.0, 20.0)})
    assert house.guard.ban(STRANGER.host, 0.0, 5.0)
    assert [ban.reason for ban in house.bans] == [BanReason.ORDERED]
    assert (house.heard(STRANGER, 1, 4.9), house.heard(STRANGER, 1, 5.1)) == (0, 1)
    assert house.guard.ban(STRANGER.host, 6.0, 5.0)
    assert house.guard.pardon(STRANGER.host) and house.heard(STRANGER, 1, 6.1) == 1
    assert not house.guard.ban(TRUNK.host, 0.0, 5.0), "trunks are heard whatever happens"
    assert not house.guard.ban("127.0.0.1", 0.0, 5.0), "and so are trusted networks"


def test_the_word_of_another_node_is_taken_of_strangers_only() -> None:
    house = House(trunks={TRUNK.host: Rate(10, 10)})
    told: list[Ban] = []
    house.guard.on_own = told.append
    assert not house.guard.shun(TRUNK.host, BanReason.SCANNER, 1.0, 60.0), "a trunk's address"
    house.guard.acquaint(OTHER)
    assert not house.guard.shun(OTHER.host, BanReason.SCANNER, 1.0, 60.0), "one with a call here"
    assert house.guard.shun(STRANGER.host, BanReason.SCANNER, 1.0, 60.0)
    assert [house.heard(source, 1, 2.0) for source in (TRUNK, OTHER, STRANGER)] == [1, 1, 0]
    assert house.heard(STRANGER, 1, 61.0) == 1, "for as long as that one said"
    assert [ban.host for ban in house.bans] == [STRANGER.host] and told == [], "it is not told on"
    assert house.counters.get(SipCounter.GUARD_BANS) == 0


def test_what_is_decided_here_is_told_and_a_pardon_too() -> None:
    house = House()
    told: list[Ban] = []
    pardoned: list[str] = []
    house.guard.on_own = told.append
    house.guard.on_pardon = lambda host: pardoned.append(host) or host == OTHER.host  # type: ignore[func-returns-value]
    assert house.guard.ban(STRANGER.host, 1.0, 60.0) and told == house.bans
    assert house.guard.pardon(STRANGER.host) and not house.guard.pardon(STRANGER.host)
    assert house.guard.pardon(OTHER.host), "only another node ignores it"
    assert pardoned == [STRANGER.host, STRANGER.host, OTHER.host]
    assert house.guard.shun(STRANGER.host, BanReason.FLOOD, 1.0, 60.0) and house.guard.forgive(STRANGER.host)
    assert len(pardoned) == 3, "the word of another node is not told on"


def test_other_rates_hold_for_those_who_are_known_and_bans_last() -> None:
    house = House(trunks={TRUNK.host: Rate(1, 3)})
    assert house.heard(STRANGER, 15, 1.0) == 15
    assert house.heard(TRUNK, 5, 1.0) == 3
    assert house.guard.ban(OTHER.host, 1.0, 60.0)
    house.guard.use(replace(CONFIG, ban_s=1.0))
    assert house.heard(STRANGER, 9, 1.0) == 5, "another value has changed: what is left of the ration is left"
    assert house.heard(TRUNK, 5, 1.0) == 0
    assert house.heard(OTHER, 1, 60.0) == 0, "a ban lasts as long as it was to"
    assert house.heard(OTHER, 1, 61.0) == 1
    house.guard.use(replace(CONFIG, stranger_per_s=1, stranger_burst=2))
    assert house.heard(STRANGER, 9, 100.0) == 2
    house.guard.forget_trunks()
    assert house.heard(TRUNK, 5, 2.0) == 1, "trunks were asked about anew, and no ration began anew"


def test_who_is_trusted_now_is_heard_whatever_was() -> None:
    house = House()
    house.guard.ban(STRANGER.host, 1.0, 60.0)
    assert house.heard(STRANGER, 1, 2.0) == 0
    house.guard.use(replace(CONFIG, trusted=(f"{STRANGER.host}/32",)))
    assert house.heard(STRANGER, 99, 2.0) == 99
    house.guard.use(CONFIG)
    assert house.heard(STRANGER, 1, 3.0) == 0


def test_all_strangers_and_acquaintances_have_other_rates_from_now_on() -> None:
    house = House()
    house.guard.remember(TRUNK)
    assert house.heard(TRUNK, 10, 1.0) == 10
    house.guard.use(replace(CONFIG, acquainted_per_s=2, strangers_per_s=3))
    assert house.heard(TRUNK, 99, 1.0) == 4
    assert house.heard(STRANGER, 5, 1.0) == 3
