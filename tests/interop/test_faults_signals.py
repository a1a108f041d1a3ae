"""SIGTERM, SIGKILL and SIGHUP in mid-call."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import yaml

from tests.interop.fault_server import FaultServer
from tests.interop.process import alive
from tests.interop.raw_phone import RawPhone
from tests.interop.server import FLOWS
from tests.interop.sound import read_wav, speech_seconds

pytestmark = [pytest.mark.interop, pytest.mark.realtime]


def answered(server: FaultServer) -> RawPhone:
    """A phone that hears the agent."""
    phone = server.phone()
    assert phone.dial() == 200
    phone.wait_heard(lambda samples: speech_seconds(samples) >= 0.5, 30)
    return phone


def test_stopping_the_whole_service_says_goodbye_to_callers(tmp_path: Path) -> None:
    """SIGTERM to every process at once, as systemd does: new calls are refused, the old one is told, status 0."""
    with FaultServer(tmp_path, settings={"limits": {"drain_s": 4.0}}, fresh=True) as server:
        workers = server.children
        with answered(server) as phone:
            since = phone.mark()
            for pid in (*workers, server.process.pid):
                os.kill(pid, signal.SIGTERM)
            server.wait_logged("draining")
            with server.phone() as late:
                assert late.dial() == 503
                assert any("Retry-After: " in text for text in late.messages)
                pinged = late.options()
                assert pinged.startswith("SIP/2.0 503 ") and "Retry-After: " in pinged
            bye = phone.wait_bye(60)
            assert "Reason: Q.850;cause=41" in bye
            assert speech_seconds(phone.heard(since)) >= 3
        assert server.process.wait(30) == 0
        assert alive(workers) == []
        log = server.log_of(phone)
        assert log.cause == "draining"
        assert "our system has to restart now" in log.agent_said
        caller, _agent = server.recording(log)
        assert len(caller)


def test_a_drain_ends_with_the_last_call(tmp_path: Path) -> None:
    with FaultServer(tmp_path, settings={"limits": {"drain_s": 60.0}}) as server:
        with answered(server) as phone:
            os.kill(server.process.pid, signal.SIGTERM)
            server.wait_logged("draining")
            phone.press("2468")
            server.wait_facts(phone, "CallerSpoke")
            since = phone.mark()
            phone.wait_heard(lambda samples: speech_seconds(samples) >= 1, 30, since)
            phone.hang_up()
        assert server.process.wait(30) == 0
        assert server.log_of(phone).cause == "caller_hangup"


def test_a_second_signal_stops_at_once_with_all_records_closed(tmp_path: Path) -> None:
    with FaultServer(tmp_path, settings={"limits": {"drain_s": 60.0}}) as server:
        with answered(server) as phone:
            os.kill(server.process.pid, signal.SIGINT)
            server.wait_logged("draining")
            os.kill(server.process.pid, signal.SIGINT)
            assert "Reason: Q.850;cause=41" in phone.wait_bye(30)
        assert server.process.wait(30) == 0
        log = server.log_of(phone)
        assert log.cause == "draining"
        assert "restart" not in log.agent_said, "nobody says goodbye when it has to be at once"
        assert log.one("MediaWasMeasured")["packets_received"] > 0
        caller, _agent = server.recording(log)
        assert len(caller)


def test_workers_do_not_outlive_a_killed_gateway(tmp_path: Path) -> None:
    server = FaultServer(tmp_path)
    with server:
        phone = answered(server)
        workers = server.children
        assert len(workers) >= 3
        server.kill()
        server.wait(lambda: alive(workers) == [], 30, "the end of the workers")
        phone.remote = None
        phone.close()
    with server:
        pass
    (recording,) = (server.home / "recordings").iterdir()
    assert recording.suffix == ".wav"
    _caller, agent = read_wav(recording)
    assert speech_seconds(agent) >= 0.5


def test_reload(tmp_path: Path) -> None:
    """A new dialplan counts for the next call; a broken one is refused with file and line, and nothing changes."""
    with FaultServer(tmp_path, expected=("reload refused",)) as server:
        dialplan, agent = server.home / "dialplan.yaml", server.home / "agents" / "goodbye.yaml"
        with answered(server) as old:
            agent.write_text((FLOWS / "goodbye.yaml").read_text())
            dialplan.write_text(yaml.safe_dump({"routes": [{"name": "new", "agent": "goodbye"}]}))
            _reload(server, "dialplan reloaded")
            assert _agent_of_next_call(server) == "goodbye"
            old.press("7531")
            server.wait_facts(old, "CallerSpoke")

            dialplan.write_text("routes:\n  - name: new\n    agnet: goodbye\n")
            assert f"{dialplan}:3: " in _reload(server, "reload refused")
            dialplan.write_bytes(b"routes: \xff\xfe\n")
            assert str(dialplan) in _reload(server, "reload refused", 2)
            dialplan.unlink()
            assert str(dialplan) in _reload(server, "reload refused", 3)
            dialplan.write_text(yaml.safe_dump({"routes": [{"name": "new", "agent": "goodbye"}]}))
            agent.write_text("name: goodbye\nsteps:\n  - hang_up: Bye.\n")
            assert f"{agent}:3: " in _reload(server, "reload refused", 4)
            assert _agent_of_next_call(server) == "goodbye"


def _reload(server: FaultServer, message: str, count: int = 1) -> str:
    os.kill(server.process.pid, signal.SIGHUP)
    return str(server.wait_logged(message, count)["msg"])


def _agent_of_next_call(server: FaultServer) -> str:
    with server.phone() as phone:
        assert phone.dial() == 200
        (routed,) = server.wait_facts(phone, "CallWasRouted")
        phone.hang_up()
        server.wait_ended(phone)
    return str(routed["agent"])
