"""The pages of docs/trunks: up to date, and what they tell engineers to write is a configuration."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from voicegw.gateway.trunk_files import make_trunk, parse_trunk
from voicegw.gateway.trunk_numbers import to_inside
from voicegw.testing.trunk_pages import pages
from voicegw.testing.trunk_profiles import Profile, profiles

ROOT = Path(__file__).parents[3]
TABLE = profiles(ROOT)


@pytest.fixture(params=TABLE, ids=str)
def named(request: pytest.FixtureRequest) -> tuple[str, Profile]:
    name = str(request.param)
    return name, TABLE[name]


def test_the_pages_are_those_of_the_table() -> None:
    there = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs/trunks").glob("*.md")}
    assert there == pages(ROOT), "python -m voicegw.testing.trunk_pages"


def test_the_trunk_is_one(named: tuple[str, Profile]) -> None:
    name, profile = named
    file = parse_trunk(profile.trunk, f"docs/trunks/{name}.md")
    assert file.name == name
    secret = {file.password_env: "s"} if file.password_env else {}
    trunk = make_trunk(file, secret)
    assert bool(trunk.settings.username) == bool(secret), "an account has a password, which is not in the file"
    assert trunk.settings.caller_id.number in {"", *trunk.settings.caller_id.allowed} or "*" in "".join(
        trunk.settings.caller_id.allowed
    )


def test_a_carrier_is_known_by_more_than_a_guess(named: tuple[str, Profile]) -> None:
    """Calls of a carrier come by our registration or from named addresses; toll is bounded by ``carries``."""
    name, profile = named
    if profile.kind != "carrier":
        return
    settings = parse_trunk(profile.trunk, name)
    assert settings.register_there or settings.allowed_addresses
    assert settings.carries and settings.numbers and settings.caller_id.number


def test_links_lead_somewhere(named: tuple[str, Profile]) -> None:
    _, profile = named
    for target in re.findall(r"\]\((\.\.[^)#]*)", profile.theirs):
        assert (ROOT / "docs/trunks" / target).resolve().exists(), target
    assert all(source.startswith("https://") for source in profile.sources) and profile.sources


def test_a_played_number_is_one_of_ours(named: tuple[str, Profile]) -> None:
    name, profile = named
    if profile.plays is None:
        return
    settings = parse_trunk(profile.trunk, name)
    spelled = re.findall(r"sip:(\+?\d+)@", f"{profile.plays.uri} {profile.plays.receiver}")
    assert profile.plays.called in {to_inside(settings.numbering, one) for one in spelled}
