"""``voicegw drain`` at a running server: sipp's call goes on with its audio, nobody else gets in, and it ends."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.interop.fault_server import FaultServer
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import seconds_with, speech_seconds, tone, ulaw_encode
from voicegw.cli.main import main
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

HOLD_S = 14
"""Long enough for all that is looked at while the call is up."""
CALLER_HZ = 1000


def ready(port: int) -> tuple[int, dict[str, Any]]:
    """What a load balancer is told."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.load(refusal)


def test_a_server_is_drained_undrained_and_ends_with_its_last_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    sound = tmp_path / "tone.ulaw"
    sound.write_bytes(ulaw_encode(tone(CALLER_HZ, 2 * HOLD_S)))
    api = {"enabled": True, "listen_port": port, "key_file": "secrets.key"}
    server = FaultServer(tmp_path, settings={"api": api})

    def order(*words: str) -> dict[str, Any]:
        assert main([words[0], "-c", str(server.configuration), "--json", *words[1:]]) == 0
        status: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
        return status

    with server:
        server.wait_logged("the console is at")
        server.wait(lambda: ready(port)[0] == 200, 30, "it is ready")
        assert order("drain")["state"] == "draining", "an empty node says first that it was told"
        server.wait_logged("drained")
        assert order("undrain")["state"] == "serving"
        values = {"ulaw": str(sound), "hold_ms": str(HOLD_S * 1000)}
        with Sipp(tmp_path, "uac_rtp_stream", target=server.address, values=values) as sipp:
            sipp.wait_for("SIP/2.0 200", "INVITE")
            told = order("drain", "--deadline", "600", "--stop")
            assert (told["calls"], told["stop"], 590 < told["deadline_in_s"] <= 600) == (1, True, True)
            with server.phone() as late:
                assert late.dial() == 503
                assert any("Retry-After: " in text for text in late.messages)
                pinged = late.options()
                assert pinged.startswith("SIP/2.0 503 ") and "Retry-After: " in pinged
            status, parts = ready(port)
            assert (status, parts["parts"]["admission"], parts["parts"]["store"]) == (503, False, True)
            assert main(["drain", "-c", str(server.configuration), "--stop", "--wait"]) == 0
            sipp.passed()
        assert server.process.wait(30) == 0
        (log,) = (ended for ended in server.ended() if ended.all("CallWasAnswered"))
        caller, agent = server.recording(log)
    assert log.cause == "caller_hangup"
    late_s = log.one("MediaWasMeasured")["packets_late"] / 50
    assert seconds_with(caller, CALLER_HZ) >= HOLD_S - 2 - late_s - server.lost_s
    assert speech_seconds(agent) >= 1
    assert main(["status", "-c", str(server.configuration)]) == 1
    assert "no server of this configuration runs here" in capsys.readouterr().err
