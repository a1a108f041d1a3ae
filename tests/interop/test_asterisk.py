"""Beside a real Asterisk, with the configuration that ``asterisk/`` gives to both sides."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.interop.asterisk_peer import SHIPPED, Asterisk
from tests.interop.server import CallLog, Server
from tests.interop.sound import Samples, read_any_wav, seconds_with, speech_seconds
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

CALLER_HZ, MEMBER_HZ = 1000, 1700


@contextmanager
def _house(work: Path, trunk: str, agent: str, kind: str = "blind") -> Iterator[tuple[Server, Asterisk]]:
    """Asterisk and a server that know each other by ``trunk``; the agent hands callers to the queue."""
    port = free_port()
    asterisk = Asterisk(work, f"127.0.0.1:{port}", with_passwords=trunk == "asterisk-auth")
    shipped = yaml.safe_load((SHIPPED / "voicegw" / "voicegw.yaml").read_text())
    queue = shipped["transfer"]["targets"][0] | {"name": "desk", "kind": kind}
    settings = {"sip": shipped["sip"], "transfer": {"targets": [queue]}}
    server = Server(work, agent=agent, port=port, settings=settings)
    server.write_trunk(**yaml.safe_load(asterisk.trunk(trunk)))
    with asterisk, server:
        asterisk.wait_for_trunk("voicegw-auth" if trunk == "asterisk-auth" else "voicegw")
        yield server, asterisk


def _recording(log: CallLog) -> tuple[Samples, Samples, int]:
    """Both sides at 8 kHz, and the rate that they were kept at."""
    (said, sent), rate_hz = read_any_wav(Path(log.one("RecordingHasEnded")["path"]))
    return said[:: rate_hz // 8000], sent[:: rate_hz // 8000], rate_hz


def test_a_caller_talks_presses_keys_and_hangs_up(tmp_path: Path) -> None:
    with _house(tmp_path, "asterisk", "echo_keys") as (server, asterisk):
        asterisk.command("channel originate Local/7000@kept/n extension keys@sounds")
        log = server.call(within_s=40)
        heard = asterisk.heard()
    said, sent, rate_hz = _recording(log)
    assert rate_hz == 16_000, "G.722 is the first codec of both"
    assert log.one("CallWasOffered")["called"] == "7000"
    assert log.one("CallWasIntroduced")["trunk"] == "asterisk"
    assert log.keys == "4711" and log.cause == "caller_hangup"
    assert seconds_with(said, CALLER_HZ) >= 4
    assert speech_seconds(sent) >= 2
    assert speech_seconds(heard) == pytest.approx(speech_seconds(sent), abs=1.0)


@pytest.mark.parametrize(("kind", "cause"), [("blind", "transferred"), ("bridged", "callee_hangup")])
def test_a_caller_is_handed_to_the_queue(tmp_path: Path, kind: str, cause: str) -> None:
    with _house(tmp_path, "asterisk", "put_through", kind) as (server, asterisk):
        asterisk.command("channel originate Local/7001@kept/n extension tone@sounds")
        log = server.call(within_s=60)
        heard = asterisk.heard()
    assert log.cause == cause
    assert speech_seconds(heard) >= 1, "the agent"
    assert seconds_with(heard, MEMBER_HZ) >= 3, "and then the member of the queue"


@pytest.mark.parametrize(("called", "cause"), [("7000", "transferred"), ("7100", "callee_hangup")])
def test_the_folder_as_it_ships_answers_and_hands_over(tmp_path: Path, called: str, cause: str) -> None:
    """Its own agent, dialplan and targets; only addresses and ports are others. By SIP, and by AudioSocket."""
    port, sound = free_port(), free_port()
    asterisk = Asterisk(tmp_path, f"127.0.0.1:{port}", f"127.0.0.1:{sound}")
    shipped = yaml.safe_load((SHIPPED / "voicegw" / "voicegw.yaml").read_text())
    shipped["audiosocket"]["listeners"][0] |= {"ip": "127.0.0.1", "port": sound, "allow": ["127.0.0.1"]}
    server = Server(tmp_path, port=port, settings=shipped)
    server.write_trunk(**yaml.safe_load(asterisk.trunk("asterisk")))
    assert shipped["paths"] == {"dialplan": "dialplan.yaml", "agents": "agents"}, "as in the server's home here"
    home = server.configuration.parent
    (home / "agents" / "echo_keys.yaml").unlink()
    shutil.copytree(SHIPPED / "voicegw" / "agents", home / "agents", dirs_exist_ok=True)
    shutil.copy(SHIPPED / "voicegw" / "dialplan.yaml", home)
    with asterisk, server:
        asterisk.wait_for_trunk("voicegw")
        asterisk.command(f"channel originate Local/{called}@kept/n extension one@sounds")
        log = server.call(within_s=60)
        heard = asterisk.heard()
    assert log.one("CallWasRouted")["route"] == "front desk"
    assert log.keys == "1" and log.cause == cause
    assert speech_seconds(heard) >= 1, "the front desk"
    assert seconds_with(heard, MEMBER_HZ) >= 3, "and then the member of the queue"


def test_both_sides_prove_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEGW_TRUNK_PASSWORD", "change-me-1")
    with _house(tmp_path, "asterisk-auth", "put_through", "bridged") as (server, asterisk):
        asterisk.wait_for("core show hints", r"7000@to-voicegw.*State:Idle")
        asterisk.command("channel originate Local/7001@kept/n extension tone@sounds")
        log = server.call(within_s=60)
        heard = asterisk.heard()
    assert log.one("CallWasIntroduced")["trunk"] == "asterisk-auth"
    assert log.cause == "callee_hangup"
    assert seconds_with(heard, MEMBER_HZ) >= 3


def test_callers_reach_the_queue_while_voicegw_is_away(tmp_path: Path) -> None:
    with Asterisk(tmp_path, f"127.0.0.1:{free_port()}") as asterisk:
        asterisk.wait_for("pjsip show contacts", "Unavail")
        asterisk.wait_for("core show hints", r"7000@to-voicegw.*Unavailable")
        asterisk.command("channel originate Local/7000@kept/n extension tone@sounds")
        assert seconds_with(asterisk.heard(), MEMBER_HZ) >= 3
