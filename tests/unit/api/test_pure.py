"""The parts that need no store: codes, ranges, limits, reaches, seals, configuration."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicegw.api import totp
from voicegw.api.config import ApiConfig, OidcConfig, RoleRule
from voicegw.api.key_file import KEY_BYTES
from voicegw.api.metrics_text import exposition
from voicegw.api.passwords import weakness
from voicegw.api.permissions import EVERYTHING, ROLE_PERMISSIONS, Permission, Reach, Role, Team, scope_of
from voicegw.api.problems import ApiProblem
from voicegw.api.ranges import ByteRange, parse_range
from voicegw.api.throttle import MAX_ENTRIES, LockOut, OnceAMinute, RateLimit, network_of
from voicegw.api.vault import Vault
from voicegw.base.errors import ConfigError, LocalError
from voicegw.base.metrics import Counters

RFC_6238_SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("wall", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_codes_of_rfc_6238_appendix_b(wall: int, code: str) -> None:
    assert totp.code_at(RFC_6238_SECRET, wall // totp.STEP_S) == code
    assert totp.matching_step(RFC_6238_SECRET, code, wall) == wall // totp.STEP_S


def test_a_code_may_be_one_step_off_and_is_good_once() -> None:
    code = totp.code_at(RFC_6238_SECRET, 100)
    assert [totp.matching_step(RFC_6238_SECRET, code, 30 * n) for n in (98, 99, 100, 101, 102)] == [
        *(None, 100, 100, 100, None)
    ]
    assert totp.matching_step(RFC_6238_SECRET, code, 3000, last_step=100) is None
    assert totp.matching_step(RFC_6238_SECRET, "", 3000) is None


@given(st.text(max_size=30), st.integers(1, 10_000))
def test_a_range_is_inside_the_file_or_refused(header: str, size: int) -> None:
    try:
        found = parse_range(header, size)
    except ApiProblem as problem:
        assert problem.status == 416
    else:
        assert found is None or 0 <= found.start <= found.end < size


def test_ranges() -> None:
    assert parse_range("bytes=0-0", 10) == ByteRange(0, 0)
    assert parse_range("bytes=5-100", 10) == ByteRange(5, 9)
    assert parse_range("bytes=-100", 10) == ByteRange(0, 9)
    assert parse_range("bytes=5-4", 10) is None
    assert parse_range("bytes=0-1,3-4", 10) is None


def test_a_bucket_fills_up_again_and_each_name_has_its_own() -> None:
    limit = RateLimit(burst=2, per_minute=60)
    assert [limit.wait_s("a", 0.0) for _ in range(3)] == [0.0, 0.0, 1.0]
    assert limit.wait_s("b", 0.0) == 0.0
    assert limit.wait_s("a", 0.5) == 0.5
    assert limit.wait_s("a", 1.0) == 0.0


def test_memory_for_names_is_bounded() -> None:
    limit, locks, notes = RateLimit(1, 1), LockOut(), OnceAMinute()
    for n in range(MAX_ENTRIES + 10):
        limit.wait_s(str(n), 0.0)
        locks.failed(str(n), 0.0)
        notes.is_new(str(n), 0.0)
    assert len(limit._buckets) == len(locks._names) == len(notes._last) == MAX_ENTRIES


def test_a_lock_doubles_up_to_its_longest() -> None:
    lock = LockOut(free=2, first_s=10, longest_s=35)
    assert [lock.lock_s(n) for n in range(1, 6)] == [0.0, 10.0, 20.0, 35.0, 35.0]


def test_one_subscriber_of_ipv6_is_one_address() -> None:
    assert network_of("2001:db8:1:2:aaaa::1") == network_of("2001:db8:1:2:bbbb::2") != network_of("2001:db8:1:3::1")
    assert network_of("::ffff:192.0.2.1") == "192.0.2.1" == network_of("192.0.2.1")
    assert network_of("somewhere") == "somewhere"


NUMBERS = st.sampled_from(["+49*", "+4930*", "+4930123", "+1*", "*"])
REACHES = st.builds(
    Reach,
    st.lists(NUMBERS, max_size=2).map(tuple),
    st.lists(st.sampled_from(["a", "b"]), max_size=2).map(tuple),
)


@given(REACHES, REACHES, st.sampled_from(["+4930123", "+4930999", "+49899", "+1555", ""]))
def test_whoever_is_within_a_reach_sees_no_more_than_it(inner: Reach, outer: Reach, number: str) -> None:
    teams = [Team("a", ("+33*",), agents=("one",)), Team("b", agents=("two",))]
    if not inner.within(outer):
        return
    small, large = scope_of(inner, teams), scope_of(outer, teams)
    for agent in ("one", "two", "three"):
        assert large.has_call(number, "+335", agent) or not small.has_call(number, "+335", agent)


def test_limits_that_reach_nothing_show_nothing() -> None:
    scope = scope_of(Reach(teams=("gone",)), [])
    assert not scope.has_call("1", "2", "agent") and not scope.has_agent("agent") and not scope.has_trunk("t")
    assert not scope.has_call("", "", "")
    assert scope_of(Reach(), []) is EVERYTHING


def test_an_auditor_changes_nothing_and_a_designer_hears_nothing() -> None:
    changes = {
        *(Permission.USERS, Permission.CONFIG_WRITE, Permission.CONFIG_PUBLISH, Permission.TRUNKS),
        *(Permission.WEBHOOKS, Permission.ORIGINATE, Permission.SUPERVISE),
    }
    assert not ROLE_PERMISSIONS[Role.AUDITOR] & changes
    assert Permission.RECORDINGS not in ROLE_PERMISSIONS[Role.DESIGNER]
    assert ROLE_PERMISSIONS[Role.ADMIN] == frozenset(Permission)


def test_a_seal_opens_with_its_key_and_in_its_place_only() -> None:
    vault = Vault(bytes(KEY_BYTES))
    sealed = vault.seal("pässword", "trunk 1")
    assert vault.open(sealed, "trunk 1") == "pässword"
    assert b"ssword" not in sealed and sealed != vault.seal("pässword", "trunk 1")
    torn = bytes([*sealed[:-1], sealed[-1] ^ 1])
    for text, context, key in (
        (sealed, "trunk 2", bytes(32)),
        (torn, "trunk 1", bytes(32)),
        (sealed, "trunk 1", b"k" * 32),
        (b"", "trunk 1", bytes(32)),
        (b"\x02" + sealed[1:], "trunk 1", bytes(32)),
    ):
        with pytest.raises(LocalError):
            Vault(key).open(text, context)


def test_weak_passwords() -> None:
    assert weakness("too short", "") and weakness("x" * 300, "") and weakness("abababababababab", "")
    assert weakness("i am ada lovelace", "Ada") and weakness("a sentence of words", "ada") is None


def test_configuration_that_would_be_dangerous_is_refused() -> None:
    with pytest.raises(ConfigError, match="without TLS"):
        ApiConfig(listen_host="0.0.0.0")
    assert ApiConfig(listen_host="0.0.0.0", behind_tls_proxy=True).url == "http://0.0.0.0:8080"
    with pytest.raises(ConfigError, match="go together"):
        ApiConfig(tls_cert="cert.pem")
    with pytest.raises(ConfigError, match="https"):
        OidcConfig("http://login.example.com", "voicegw")
    with pytest.raises(ConfigError, match="no role"):
        RoleRule("group", "root")
    with pytest.raises(ConfigError, match="home"):
        ApiConfig(home="//evil.example")


def test_metrics_page() -> None:
    counters = Counters()
    counters.observe("turn_latency_seconds", 0.7)
    counters.observe("turn_latency_seconds", 99.0)
    counted = {"sip_datagrams_received": 3, "tts_failed_flite": 2, "asr_audio_ms": 1500, "sip.sent": 1}
    page = exposition(counted, {'trunk_up_a"b': 1.0, "media_has_room": 0.5}, counters.histograms())
    lines = page.splitlines()
    assert "# TYPE voicegw_sip_datagrams_received_total counter" in lines
    for line in (
        "voicegw_sip_datagrams_received_total 3",
        "voicegw_sip_datagrams_sent_total 0",
        'voicegw_tts_failures_total{engine="flite"} 2',
        "voicegw_asr_audio_seconds_total 1.5",
        'voicegw_uncatalogued_total{name="sip.sent"} 1',
        'voicegw_trunk_up{trunk="a\\"b"} 1',
        "voicegw_media_has_room 0.5",
        'voicegw_turn_latency_seconds_bucket{le="0.6"} 0',
        'voicegw_turn_latency_seconds_bucket{le="0.8"} 1',
        'voicegw_turn_latency_seconds_bucket{le="10"} 1',
        'voicegw_turn_latency_seconds_bucket{le="+Inf"} 2',
        "voicegw_turn_latency_seconds_sum 99.7",
        "voicegw_turn_latency_seconds_count 2",
        'voicegw_turn_stage_seconds_count{stage="asr"} 0',
    ):
        assert line in lines
    assert "voicegw_calls_active" not in page, "nobody told that level"
