"""``check`` and ``route-test``: what they say about right and wrong files."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicegw.cli import main

DIALPLAN = """\
routes:
  - name: desk
    match: {called: desk}
    agent: bell
  - name: no withheld numbers
    match: {calling: anonymous}
    reject: busy
  - name: gold customers
    match: {header: {X-Customer: gold}}
    agent: bell
  - name: everything else
    reject: no_route
"""
BELL = "name: bell\nsteps:\n  - say: Ding.\n  - hangup: Dong.\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with three routes and one agent."""
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "bell.yaml").write_text(BELL)
    (tmp_path / "dialplan.yaml").write_text(DIALPLAN)
    path = tmp_path / "voicegw.yaml"
    path.write_text("paths: {dialplan: dialplan.yaml, agents: agents}\n")
    return path


def check(config: Path) -> int:
    return main(["check", "--config", str(config)])


def test_check_counts_what_is_there(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(config) == 0
    out = capsys.readouterr().out
    assert "ok: 4 routes" in out
    assert "ok: agent bell (en-US" in out


def test_check_says_what_a_trunk_will_lack(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = config.parent / "trunks"
    folder.mkdir()
    (folder / "pbx.yaml").write_text("name: pbx\nhosts: [192.0.2.1]\nusername: a\npassword_env: PBX_PASSWORD\n")
    monkeypatch.delenv("PBX_PASSWORD", raising=False)
    assert check(config) == 0, "a server that starts without it is better than none"
    out = capsys.readouterr().out
    assert "look: trunk pbx: password_env: PBX_PASSWORD is not set here\n    -> export PBX_PASSWORD=..." in out
    monkeypatch.setenv("PBX_PASSWORD", "s")
    assert check(config) == 0
    assert "ok: trunk pbx" in capsys.readouterr().out


def test_check_tells_of_trunks_that_cannot_be_told_apart(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = config.parent / "trunks"
    folder.mkdir()
    for name, more in (("a", ""), ("b", ""), ("c", "numbers: ['+49*']\n"), ("d", "enabled: false\n")):
        (folder / f"{name}.yaml").write_text(f"name: {name}\nhosts: [192.0.2.1]\n{more}")
    assert check(config) == 0
    out = capsys.readouterr().out
    assert out.count("look: ") == 1
    assert "look: trunk b: calls from 192.0.2.1 are those of trunk a" in out


def test_the_shipped_files_are_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 0
    assert capsys.readouterr().out.count("ok: agent") == 4
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("section", "complaint", "fix"),
    [
        ("sip:\n  lissten_port: 5070", "3: unknown key 'lissten_port' in 'sip'", "did you mean 'listen_port'?"),
        ("sip: {listen_ip: localhost}", "2: listen_ip is no IP address", "as digits"),
        ("limits:\n  max_calls: many", "3: limits.max_calls:", ""),
        ("limits: {max_calls: 0}", "2: max_calls is 0", "at least 1"),
        ("limits: {drain_s: -1}", "2: drain_s is -1", "at least 0"),
        ("log: {level: loud}", "2: there is no log level 'loud'", "debug, info, warning, error"),
        ("log: {format: xml}", "2: there is no log format 'xml'", "text, json"),
        ("speech: {asr: ears}", "2: there is no recogniser called 'ears'", "pocketsphinx"),
        ("speech: {tts: [flite, mouth]}", "2: there is no synthesiser called 'mouth'", "flite, espeak"),
        ("speech: {tts: []}", "2: there is no synthesiser called nothing", "flite, espeak"),
        ("speech: {asr_workers: 0}", "2: asr_workers is 0", "at least 1"),
        ("media: {port_low: 7}", "2: media port range 7-32767", "even first port"),
        ("media: {no_such: 1}", "2: unknown key 'no_such' in 'media'", "allowed:"),
        ("sip: [1", "expected ',' or ']'", ""),
    ],
)
def test_a_wrong_setting_is_named_with_its_line_and_the_fix(
    config: Path, capsys: pytest.CaptureFixture[str], section: str, complaint: str, fix: str
) -> None:
    config.write_text(config.read_text() + section + "\n")
    assert check(config) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"voicegw: {config}:")
    assert complaint in captured.err
    assert fix in captured.err


def test_a_wrong_dialplan_and_a_wrong_agent_are_named_too(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agent = config.parent / "agents" / "bell.yaml"
    agent.write_text(BELL.replace("hangup", "hang_up"))
    assert check(config) == 1
    assert f"{agent}:4: " in capsys.readouterr().err
    agent.write_text(BELL)
    dialplan = config.parent / "dialplan.yaml"
    dialplan.write_text(DIALPLAN.replace("agent: bell", "agent: bill", 1))
    assert check(config) == 1
    error = capsys.readouterr().err
    assert f"{dialplan}:4: there is no agent named 'bill'" in error
    assert "bell" in error


def test_files_that_are_not_there(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(config.parent / "nowhere.yaml") == 1
    assert "nowhere.yaml: cannot be read: No such file or directory" in capsys.readouterr().err
    config.write_text("paths: {dialplan: dialplan.yaml, agents: people}\n")
    assert check(config) == 1
    error = capsys.readouterr().err
    assert f"{config.parent}/people: there is no such directory" in error
    assert "paths.agents" in error


def route(config: Path, *arguments: str) -> int:
    return main(["route-test", "--config", str(config), *arguments])


def test_route_test_says_which_route_and_why_not_the_others(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert route(config, "--to", "desk", "--from", "+4912345") == 0
    out = capsys.readouterr().out
    assert out.startswith("route 'desk' takes the call: agent bell\n")
    assert f" * 1. desk ({config.parent}/dialplan.yaml:2)" in out
    assert "the calling number '+4912345' is not 'anonymous'" in out
    assert "would match too" in out


def test_route_test_knows_headers_and_withheld_numbers(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert route(config, "--to", "sales", "--from", "+1", "--header", "X-Customer: gold") == 0
    assert capsys.readouterr().out.startswith("route 'gold customers' takes the call")
    assert route(config, "--to", "sales") == 0
    assert capsys.readouterr().out.startswith("route 'no withheld numbers' rejects the call with 486")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--at", "yesterday"), "--at 'yesterday' is no date and time\n    fix: write it like 2026-03-01T09:30"),
        (("--header", "gold"), "--header 'gold' is no header\n    fix: write it like X-Customer: gold"),
    ],
)
def test_route_test_explains_its_arguments(
    config: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, str], complaint: str
) -> None:
    assert route(config, "--to", "desk", *arguments) == 1
    assert complaint in capsys.readouterr().err
