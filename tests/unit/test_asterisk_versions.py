"""asterisk/ says nothing that a version from 18 to 22 does not know.

What they know is in ``tests/vectors/asterisk``: their own help, read out of running ones.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "asterisk"
VERSIONS = sorted((ROOT / "tests" / "vectors" / "asterisk").glob("*.yaml"))
_STEP = re.compile(r"^(?:exten => [^,]+,1|same => n(?:\(\w+\))?),(\w+)", re.MULTILINE)
_NESTED = re.compile(r"\b(?:Exec[Ii]f)\([^?]*\?(\w+)\(")


def known(path: Path) -> dict[str, set[str]]:
    """Names by section of pjsip.conf, of applications and of functions."""
    return {kind: set(names.split()) for kind, names in yaml.safe_load(path.read_text()).items()}


def lines(name: str) -> list[str]:
    """Without comments and white space around."""
    text = (SHIPPED / name).read_text()
    return [line for line in (raw.partition(";")[0].strip() for raw in text.splitlines()) if line]


def options() -> list[tuple[str, str]]:
    """The type of the section and the name of each option of the trunk's file; a template has its users' type."""
    kind, found = "", []
    for line in lines("pjsip_voicegw.conf"):
        if line.startswith("["):
            kind = "endpoint" if line.endswith(")") else ""
            continue
        name, _, value = line.partition("=")
        if name == "type":
            kind = value
        assert kind, f"{line} before the type of its section"
        found.append((kind, name))
    return found


def applications() -> set[str]:
    """The first word of each step, and what is run where a condition holds."""
    text = "\n".join(line for line in lines("extensions_voicegw.conf") if ",hint," not in line)
    return set(_STEP.findall(text)) | set(_NESTED.findall(text))


def functions() -> set[str]:
    return set(re.findall(r"\$\{([A-Z_]+)\(", "\n".join(lines("extensions_voicegw.conf"))))


def test_the_oldest_and_the_newest_are_among_them() -> None:
    assert [path.stem for path in VERSIONS] == ["18", "20", "22"]


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
def test_every_option_is_known(path: Path) -> None:
    words = known(path)
    assert len(options()) > 30
    assert [f"{kind}: {name}" for kind, name in options() if name not in words[kind]] == []


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.stem)
def test_every_application_and_function_is_known(path: Path) -> None:
    words = known(path)
    assert {"Dial", "Queue", "AudioSocket", "Goto", "Set"} <= applications()
    assert {name.lower() for name in applications()} <= {name.lower() for name in words["applications"]}
    assert {"DEVICE_STATE", "PJSIP_HEADER"} <= functions() and functions() <= words["functions"]


def test_the_lamp_is_right_whichever_trunk_is_kept() -> None:
    """A device that is not there is the least that Asterisk counts, so the other one decides."""
    trunks = re.findall(r"^\[([\w-]+)\]\(voicegw-endpoint\)$", "\n".join(lines("pjsip_voicegw.conf")), re.MULTILINE)
    assert trunks == ["voicegw", "voicegw-auth"]
    (lamp,) = (line for line in lines("extensions_voicegw.conf") if line.startswith("exten => 7000,hint,"))
    assert lamp.removeprefix("exten => 7000,hint,").split("&") == [f"PJSIP/{name}" for name in trunks]
