"""Why nobody hears anybody: the likely reason for what is known of a leg."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import msgspec
import pytest

from tests.scenarios.house import LEG, House
from voicegw.agents.actions import Gather, Say
from voicegw.base.catalogue import CATALOGUE
from voicegw.call import facts as f
from voicegw.call.risk import ALERT_POINTS, CallRisk, RiskReason
from voicegw.media import messages as m
from voicegw.runtime.line_watch import LOOKS_S
from voicegw.runtime.mail import MediaChanged
from voicegw.runtime.one_way import LineEnds, is_private, missing_audio

FINE = m.LegProbed(LEG, 2.5, True, True, 120, 118, 0, 1, True, True)
NOTHING = m.LegProbed(LEG, 2.5, True, True, 120, 0, 0, 0, False, False)
SHOWN = next(one.values for one in CATALOGUE if one.name == "voicegw_audio_missing_total")
"""From the beginning, at 0: an alert that looks for an increase would not see the first of each."""
ENDS = LineEnds("203.0.113.9", "198.51.100.4", 4000, "198.51.100.4")


@pytest.mark.parametrize(
    ("changes", "ends", "reason", "words"),
    [
        ({}, ENDS, "firewall", "198.51.100.4:4000"),
        ({}, replace(ENDS, described="192.168.1.20"), "nat_peer", "SIP comes from 198.51.100.4"),
        ({}, replace(ENDS, described="192.168.1.20", signalled="10.0.0.1"), "address", "wrong address"),
        ({}, replace(ENDS, described="198.51.100.77"), "address", "wrong address"),
        ({}, replace(ENDS, described="192.168.1.20", signalled=""), "firewall", "firewall"),
        ({}, replace(ENDS, told="10.1.2.3"), "nat_ours", "advertised_ip"),
        ({"packets_rejected": 90}, ENDS, "refused", "90 packets"),
        ({"reports": 1}, ENDS, "muted", "muted"),
        ({"reports": 1, "peer_sends": True}, ENDS, "firewall", "though its RTCP does"),
    ],
)
def test_nothing_comes(changes: dict[str, object], ends: LineEnds, reason: str, words: str) -> None:
    found = missing_audio(msgspec.structs.replace(NOTHING, **changes), ends)
    assert found is not None
    assert (found.direction, found.reason) == ("both" if changes.get("reports") else "from_peer", reason)
    assert words in found.text
    assert found.reason in SHOWN


def test_the_peer_says_that_it_hears_nothing() -> None:
    found = missing_audio(msgspec.structs.replace(FINE, peer_hears=False), ENDS)
    assert found is not None and (found.direction, found.reason) == ("to_peer", "unheard")
    assert found.reason in SHOWN


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"packets_received": 1},
        {"peer_hears": False, "reports": 0},
        {"peer_hears": False, "packets_sent": 20},
        {"peer_hears": False, "sending": False},
        {"packets_received": 0, "receiving": False},
    ],
)
def test_what_is_no_reason_for_an_alarm(changes: dict[str, object]) -> None:
    """On hold nothing is to come; before the first report, and for a moment's audio, nobody can tell."""
    assert missing_audio(msgspec.structs.replace(FINE, **changes), ENDS) is None


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("10.1.2.3", True),
        ("100.64.0.1", True),
        ("fd00::1", True),
        ("8.8.8.8", False),
        ("127.0.0.1", False),
        ("x", False),
    ],
)
def test_private_addresses(host: str, private: bool) -> None:
    assert is_private(host) is private


def test_a_leg_is_looked_at_within_three_seconds_of_its_answer_and_told_of_once() -> None:
    async def story() -> None:
        house = House([[Say("Hello."), Gather(no_input_ms=60_000)]])
        await house.answer()
        await house.run(2.4)
        assert not probes(house)
        await house.run(0.2)
        assert len(probes(house)) == 1
        house.call.post(msgspec.structs.replace(NOTHING, at=house.clock.monotonic()))
        await house.run(20.0)
        assert len(probes(house)) == len(LOOKS_S)
        house.call.post(NOTHING)
        await house.settle()
        (missing,) = house.facts.of(f.AudioWasMissing)
        assert isinstance(missing, f.AudioWasMissing)
        assert (missing.leg, missing.direction, missing.reason) == ("caller", "from_peer", "firewall")
        assert 2500 <= missing.after_ms <= 3000
        assert house.counters.get("audio_missing_firewall") == 1

    asyncio.run(story())


def test_a_leg_that_is_over_is_not_looked_at() -> None:
    async def story() -> None:
        house = House([[Say("Hello."), Gather()]])
        await house.answer()
        await house.hang_up()
        assert house.call._lines.get_timer() is None

    asyncio.run(story())


def test_an_answer_that_is_told_again_is_no_new_answer() -> None:
    async def story() -> None:
        house = House([[Say("Hello."), Gather(no_input_ms=60_000)]])
        await house.answer()
        assert house.signalling.session is not None
        house.call.post(MediaChanged(LEG, house.signalling.session))
        await house.run(3.0)
        assert len(probes(house)) == 1

    asyncio.run(story())


def test_it_is_an_alert_to_those_who_watch() -> None:
    risk = CallRisk()
    (sign,) = risk.add(f.AudioWasMissing("caller", "both", "firewall", "nothing arrives", 2500.0))
    assert sign.reason is RiskReason.NO_AUDIO and sign.points >= ALERT_POINTS


def probes(house: House) -> list[m.Command]:
    return [command for command in house.worker.commands if isinstance(command, m.ProbeLeg)]
