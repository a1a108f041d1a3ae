"""The configuration of Kamailio: its limits are those of the guard, its times keep the promise of two seconds."""

from __future__ import annotations

import re

from tests.unit.docker.files import DOCKER
from voicegw.cluster.dispatcher import SET
from voicegw.gateway.guard import PROBING
from voicegw.gateway.guard_config import GuardConfig
from voicegw.gateway.phone_config import PhonesConfig
from voicegw.gateway.registrar import PING_PATIENCE_S

TEXT = (DOCKER / "kamailio/kamailio.cfg").read_text()
CODE = re.sub(r"^#(?!!).*\n", "", TEXT, flags=re.MULTILINE)
TICK_MS = 1000 / 16
"""A step of Kamailio's timers."""


def parameter(module: str, name: str) -> int:
    """A number."""
    (value,) = re.findall(rf'^modparam\("{module}", "{name}", (\d+)\)', CODE, re.MULTILINE)
    return int(value)


def table(name: str) -> dict[str, int]:
    """What is said of a hash table."""
    (said,) = re.findall(rf'^modparam\("htable", "htable", "{name}=>([^"]+)"\)', CODE, re.MULTILINE)
    return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+);", said)}


def test_scanners_have_the_same_names_as_for_the_guard() -> None:
    (names,) = re.findall(r'^#!define VOICEGW_SCANNERS "(.+)"', CODE, re.MULTILINE)
    assert tuple(names.split("|")) == GuardConfig().scanners
    assert not re.search(r"[^a-z|-]", names), "they are parts of a regular expression"


def test_the_same_refusals_count_and_as_many_of_them_are_forgiven() -> None:
    (codes,) = re.findall(r'status =~ "\^\(([\d|]+)\)\$"', CODE)
    assert {int(code) for code in codes.split("|")} == PROBING
    assert f"$shtinc(refusals=>$var(host)) > {GuardConfig().refusals})" in CODE


def test_strangers_may_send_as_much_and_are_banned_for_as_long() -> None:
    guard = GuardConfig()
    unit_s = parameter("pike", "sampling_time_unit")
    assert parameter("pike", "reqs_density_per_unit") == guard.stranger_per_s * unit_s
    assert f'pl_check("strangers", "TAILDROP", "{guard.strangers_per_s:.0f}")' in CODE
    assert parameter("pipelimit", "timer_interval") == 1
    assert f"$shtinc(excess=>$si) > {guard.flood_messages})" in CODE
    assert table("banned")["autoexpire"] == guard.ban_s
    assert all(
        table(name)["initval"] == table(name)["updateexpire"] == 0 for name in ("refusals", "excess", "bans")
    )


def test_who_dies_is_passed_over_within_two_seconds() -> None:
    asked_ms = 1000 * parameter("dispatcher", "ds_ping_interval")
    assert parameter("dispatcher", "ds_probing_threshold") == 1
    assert asked_ms + parameter("tm", "fr_timer") + 2 * TICK_MS == 1875 < 2000
    assert "1875 ms" in TEXT


def test_it_asks_for_the_set_of_destinations_that_is_written() -> None:
    asked = re.findall(r'ds_(?:select_dst|is_active|is_from_list)\("(\d+)"', CODE)
    assert set(asked) == {str(SET)} and len(asked) == 6


def test_phones_are_reached_by_the_way_they_came_for_as_long_as_they_are_registered() -> None:
    assert parameter("path", "use_received") == 1
    (life_s,) = re.findall(r"^tcp_connection_lifetime=(\d+)", CODE, re.MULTILINE)
    assert int(life_s) > PhonesConfig().max_expires_s
    (patience_ms,) = re.findall(r"OPTIONS\W+t_set_fr\((\d+), \1\)", CODE)
    assert int(patience_ms) / 1000 < PING_PATIENCE_S, "the balancer's word comes before the node has lost patience"


def test_only_nodes_use_the_way_to_a_phone() -> None:
    (before,) = re.findall(r"if \((.+)\) route\(TO_PHONE\);", CODE)
    assert f'ds_is_from_list("{SET}", "3")' in before
    (alias,) = re.findall(r"if \((.+)\) \{\n.+\n +handle_ruri_alias", CODE)
    assert f'ds_is_from_list("{SET}", "3")' in alias
