"""Passwords: sipp knows one and is let in, SIPVicious guesses and learns nothing, not even who exists."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.interop.ports import free_udp_port
from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import seconds_with, speech_seconds, tone
from voicegw.sip.digest import Algorithm, make_ha1

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

DOMAIN = "voice.test"
_PATIENCE_S = 60


def house(work: Path, user: str, secret: str, **phones: Any) -> Server:
    """A server with one phone."""
    account = {"name": user, "md5": make_ha1(Algorithm.MD5, user, phones.get("realm", DOMAIN), secret)}
    section = {"domain": DOMAIN, "accounts": [account], "algorithms": ["MD5"], **phones}
    return Server(work, settings={"phones": section})


def guess(tool: str, work: Path, *options: str) -> str:
    """What SIPVicious found; what it says in the meantime is no result."""
    line = [tool, "-P", str(free_udp_port()), "-b", "127.0.0.1", "-x", "127.0.0.1", *options]
    done = subprocess.run(
        line,
        cwd=work,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
        env={"HOME": str(work), "PATH": "/usr/bin"},
    )
    return done.stdout + done.stderr


def test_sipp_registers_and_calls_with_its_password(tmp_path: Path) -> None:
    with house(tmp_path, "anna", "rose", algorithms=["MD5"]) as server, RtpPeer() as media:
        values = {"rtp_port": str(media.port), "hold_ms": "4000"}
        extra = ("-au", "anna", "-ap", "rose")
        with Sipp(tmp_path, "phone", target=server.address, values=values, extra=extra) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), tone(1000, 3))
            sipp.passed()
        log = server.call()
        caller, _agent = server.recording(log)
        assert "phone registered" in server.process.output
    assert log.one("CallWasOffered")["calling"] == "anna"
    assert speech_seconds(media.heard()) >= 1
    assert seconds_with(caller, 1000) >= 2
    assert "Authorization" not in str(log.facts), "nobody can try passwords on what is written down"


def test_sipp_with_a_wrong_password_gets_no_call(tmp_path: Path) -> None:
    with house(tmp_path, "anna", "rose") as server:
        values, extra = {"rtp_port": "9", "hold_ms": "10"}, ("-au", "anna", "-ap", "tulip")
        with Sipp(tmp_path, "phone", target=server.address, values=values, extra=extra) as sipp:
            assert sipp.process.wait(20) != 0
            assert len(sipp.received("SIP/2.0 401")) == 2
        assert "phone registered" not in server.process.output
        assert server.calls(0) == []


def test_nobody_is_found_by_asking_for_everybody(tmp_path: Path) -> None:
    with house(tmp_path, "105", "rose") as server:
        for method in ("REGISTER", "INVITE"):
            found = guess("svwar", tmp_path, "-m", method, "-e", "100-120", "-p", str(server.port), "127.0.0.1")
            assert "105" not in found, found


def test_no_password_is_found_where_there_is_little_time_to_guess(tmp_path: Path) -> None:
    words = [f"word{number}" for number in range(30)]
    (tmp_path / "words").write_text("\n".join([*words, "rose"]) + "\n")
    (tmp_path / "luck").write_text("rose\n")
    with house(tmp_path, "105", "rose", failures=5) as server:
        common = ("-u", "105", "-p", str(server.port), "127.0.0.1")
        assert "rose" in guess("svcrack", tmp_path, "-d", "luck", *common), "it would find it"
        assert "rose" not in guess("svcrack", tmp_path, "-d", "words", *common)
