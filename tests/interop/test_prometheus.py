"""What we ship for Prometheus and Grafana, with the real Prometheus: rules, alerts, every query of every panel."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.interop.api_desk import ApiDesk
from tests.interop.fault_server import FaultServer
from tests.interop.prometheus_peer import DOCKER, Prometheus
from tests.interop.sipp_peer import Sipp
from tests.interop.sound import silence, speech, speech_seconds, ulaw_encode
from voicegw.cli.main import main
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

RULES = sorted(str(path) for path in (DOCKER / "prometheus/rules").glob("*.yml"))
CASES = sorted((DOCKER / "prometheus/tests").glob("*.yml"))
AGENT = """
name: short
greeting: Hello.
steps:
  - id: ask
    ask: {save: keys, type: digits, length: 4, confirm: never, prompt: "Four digits?"}
  - say: "You said {{ keys | digits }}."
  - goto: ask
"""


def test_the_rules_are_good() -> None:
    subprocess.run(["promtool", "check", "rules", "--lint-fatal", *RULES], check=True, capture_output=True)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("cases", CASES, ids=lambda path: path.stem)
def test_the_alerts_do_what_they_say(cases: Path) -> None:
    found = subprocess.run(["promtool", "test", "rules", str(cases)], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr


def test_every_alert_has_a_case_in_which_it_rings_and_one_in_which_it_does_not() -> None:
    rings: dict[bool, set[str]] = {True: set(), False: set()}
    for path in CASES:
        for case in yaml.safe_load(path.read_text())["tests"]:
            for asked in case.get("alert_rule_test", []):
                rings[bool(asked["exp_alerts"])].add(asked["alertname"])
    groups = [group for path in RULES for group in yaml.safe_load(Path(path).read_text())["groups"]]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    assert len(alerts) > 20
    assert (alerts - rings[True], alerts - rings[False]) == (set(), set())


def test_every_panel_and_rule_can_be_asked_while_there_are_calls(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    api = {"enabled": True, "listen_port": port, "key_file": "secrets.key"}
    server = FaultServer(tmp_path, settings={"api": api})
    (tmp_path / "short.yaml").write_text(AGENT)
    server.use_agent(tmp_path / "short.yaml")
    server.write_trunk("carrier", hosts=["127.0.0.9"], carries=["+49*"], health={"options_s": 1})
    sound = tmp_path / "digits.ulaw"
    words = np.concatenate([silence(1.5), speech("one five nine zero", tmp_path), silence(12.0)])
    sound.write_bytes(ulaw_encode(words))
    values = {"ulaw": str(sound), "hold_ms": "9000"}
    with server, ApiDesk(server, None, f"http://127.0.0.1:{port}") as desk:
        key = desk.post("/v1/keys", {"name": "prometheus", "scopes": ["metrics"]}, 201)["secret"]
        with Prometheus(tmp_path, f"127.0.0.1:{port}", key) as prometheus:
            prometheus.wait_value('up{job="voicegw"}', 1)
            with server.phone() as phone:
                assert phone.dial() == 200
                desk.wait_call()
                prometheus.wait_value("sum(voicegw_media_worker_legs)", 1)  # a worker tells of itself once a second
                _look_at_the_top(f"http://127.0.0.1:{port}", desk, tmp_path, capsys)
                phone.hang_up()
            with Sipp(tmp_path, "uac_rtp_stream", target=server.address, calls=2, values=values) as sipp:
                prometheus.wait_value("voicegw_calls_active", 1)
                prometheus.wait_value("voicegw_first_media_seconds_count", 3)
                sipp.passed()
            prometheus.wait_value("voicegw_calls_ended_total{cause='caller_hangup'}", 3)
            prometheus.wait_value("voicegw_first_speech_seconds_count", 3)
            prometheus.wait_value("voicegw:incoming_call_setup_failures:ratio_rate5m", 0)
            _ask_every_panel(prometheus)
            _ask_every_rule(prometheus)
            assert prometheus.query("voicegw_uncatalogued_total") == []
        for log in server.calls(3)[1:]:
            caller, agent = server.recording(log)
            assert speech_seconds(caller) > 0.5 and speech_seconds(agent) > 1


def _look_at_the_top(url: str, desk: ApiDesk, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``voicegw top`` as a script and as a person use it."""
    key = work / "top.key"
    key.write_text(desk.post("/v1/keys", {"name": "top", "scopes": ["metrics", "live"]}, 201)["secret"])
    words = ["top", "--url", url, "--key-file", str(key)]
    assert main([*words, "--once", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["calls"]["states"]["active"] == len(told["running"]) == 1
    assert {call["agent"] for call in told["running"]} == {"short"}
    assert told["workers"][0]["up"] and told["workers"][0]["legs"] == 1
    assert [trunk["trunk"] for trunk in told["trunks"]] == ["carrier"]
    ours, theirs = pty.openpty()
    watched = subprocess.Popen(
        [sys.executable, "-m", "voicegw", *words], stdin=theirs, stdout=theirs, stderr=theirs, cwd=DOCKER.parent
    )
    os.close(theirs)
    shown = b""
    while b"worker" not in shown or b"carrier" not in shown:
        shown += os.read(ours, 65536)  # fails when it ends before
    os.write(ours, b"q")
    while b"\x1b[?1049l" not in shown:
        shown += os.read(ours, 65536)
    assert watched.wait(20) == 0
    os.close(ours)
    assert shown.startswith(b"\x1b[?1049h") and b"offered" in shown


def _ask_every_panel(prometheus: Prometheus) -> None:
    empty = [f"{name}: {query}" for name, query in _queries() if not prometheus.query(query)]
    assert not empty, "\n".join(empty)


def _queries() -> Iterator[tuple[str, str]]:
    """Each query of each panel, as Grafana would send it."""
    for path in sorted((DOCKER / "grafana/dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                query = target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")
                yield f"{path.name}, {panel['title']}", query


def _ask_every_rule(prometheus: Prometheus) -> None:
    for rule in prometheus.rules():
        assert rule["health"] == "ok", rule
        prometheus.query(rule["query"])
