"""What a version of Asterisk knows, out of its own help: ``python -m tests.interop.asterisk_words``.

``ASTERISK_PEER`` names the version. It writes ``tests/vectors/asterisk/VERSION.yaml``, by which a unit test judges
the configuration that ships.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Final

import yaml

from tests.interop.asterisk_peer import Asterisk
from voicegw.testing.ports import free_port

PLACE: Final = Path(__file__).parents[1] / "vectors" / "asterisk"
_OPTION: Final = re.compile(r"^(\w+) +-- ", re.MULTILINE)
_APPLICATION: Final = re.compile(r"^ +(\w+): ", re.MULTILINE)
_FUNCTION: Final = re.compile(r"^(\w+) +\1\(", re.MULTILINE)
_COLOURS: Final = re.compile(r"\x1b\[[\d;]*m")
_MODULES: Final = {
    "endpoint": "res_pjsip",
    "aor": "res_pjsip",
    "auth": "res_pjsip",
    "identify": "res_pjsip_endpoint_identifier_ip",
}


def words(asterisk: Asterisk) -> dict[str, str]:
    """The options of each section of pjsip.conf, applications and functions, each as one line of names."""
    found = {kind: _help(asterisk, f"{module} {kind}") for kind, module in _MODULES.items()}
    found["applications"] = _APPLICATION.findall(_asked(asterisk, "core show applications"))
    found["functions"] = _FUNCTION.findall(_asked(asterisk, "core show functions"))
    assert all(len(names) > 3 for names in found.values()), found
    return {kind: " ".join(sorted(set(names))) for kind, names in found.items()}


def _help(asterisk: Asterisk, place: str) -> list[str]:
    return _OPTION.findall(_asked(asterisk, f"config show help {place}"))


def _asked(asterisk: Asterisk, line: str) -> str:
    return _COLOURS.sub("", asterisk.command(line))


def main() -> None:
    """Start it, ask it, write it down."""
    with tempfile.TemporaryDirectory() as work, Asterisk(Path(work), f"127.0.0.1:{free_port()}") as asterisk:
        version = re.search(r"Asterisk ((\d+)\.[\d.]+)", _asked(asterisk, "core show version"))
        assert version, "an Asterisk that says which one it is"
        known = {"version": version.group(1)} | words(asterisk)
    PLACE.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(known, sort_keys=False, width=110)
    (PLACE / f"{version.group(2)}.yaml").write_text(f"# By python -m tests.interop.asterisk_words\n{text}")


if __name__ == "__main__":
    main()
