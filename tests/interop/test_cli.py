"""The commands as a person runs them: ``voicegw call`` against a server, and what is said when it cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from tests.interop.fault_server import FaultServer
from tests.interop.forked_server import ForkedServer, run_forked
from tests.interop.sound import read_wav, speech_seconds
from tests.unit.cli.test_store_key import seal_by_another
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime, pytest.mark.speech]

VOICEGW = str(Path(sys.prefix) / "bin" / "voicegw")
_LONGEST_S = 100


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultServer]:
    """A server that takes calls to anybody but "nobody"."""
    server = FaultServer(tmp_path_factory.mktemp("house"), fresh=True)
    routes = [
        {"name": "nobody", "match": {"called": "nobody"}, "reject": "no_route"},
        {"name": "all others", "agent": "echo_keys"},
    ]
    (server.home / "dialplan.yaml").write_text(yaml.safe_dump({"routes": routes}))
    with server:
        yield server


def voicegw(work: Path, *arguments: str, stdin: Path = Path(os.devnull)) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; its output may hold no traceback."""
    done = run_forked(list(arguments), work, stdin=stdin, within_s=_LONGEST_S)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def installed(work: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same with the program that people have, in an interpreter of its own."""
    return subprocess.run(
        [VOICEGW, *arguments],
        cwd=work,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LONGEST_S,
        check=False,
    )


def test_call_speaks_hears_writes_down_and_records(house: FaultServer, tmp_path: Path) -> None:
    words = ("--say", "one five nine zero", "--record", "call.wav", "--from", "sip:tester@127.0.0.1")
    done = installed(tmp_path, "call", house.uri, *words)
    assert done.returncode == 0, done.stderr
    assert " phone: answered" in done.stdout
    assert "   you: one five nine zero" in done.stdout
    assert "  they: " in done.stdout
    assert "recorded to call.wav" in done.stdout
    theirs, ours = read_wav(tmp_path / "call.wav")
    assert speech_seconds(ours) >= 0.7
    assert speech_seconds(theirs) >= 3
    (log,) = house.calls_of("tester")
    assert log.all("CallerSpoke")


def test_call_presses_keys_and_hears_the_answer(house: FaultServer, tmp_path: Path) -> None:
    script = ("--keys", "8642", "--record", "call.wav", "--from", "sip:player@127.0.0.1")
    done = voicegw(tmp_path, "call", house.uri, *script, "--no-transcript")
    assert done.returncode == 0, done.stderr
    assert "  they: " not in done.stdout
    theirs, _ours = read_wav(tmp_path / "call.wav")
    assert speech_seconds(theirs) >= 4
    (log,) = house.calls_of("player")
    assert log.keys == "8642"
    assert "You pressed 8 6 4 2." in log.agent_said


def test_call_follows_its_standard_input(house: FaultServer, tmp_path: Path) -> None:
    typed = tmp_path / "typed"
    os.mkfifo(typed)
    words = ("--no-transcript", "--from", "sip:typist@127.0.0.1")
    with ThreadPoolExecutor(1) as typist:
        typist.submit(typed.write_text, "#12\n\nfour four\n")
        done = voicegw(tmp_path, "call", house.uri, *words, stdin=typed)
    assert done.returncode == 0, done.stderr
    assert "ended: " in done.stdout
    (log,) = house.calls_of("typist")
    assert log.keys == "12"
    assert log.cause == "caller_hangup"


@pytest.mark.parametrize("source", ["/dev/null", "script.txt"])
def test_call_takes_any_standard_input(house: FaultServer, tmp_path: Path, source: str) -> None:
    (tmp_path / "script.txt").write_text("#7\n")
    done = voicegw(tmp_path, "call", house.uri, "--no-transcript", stdin=tmp_path / source)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_call_says_why_it_was_refused(house: FaultServer, tmp_path: Path) -> None:
    done = voicegw(tmp_path, "call", f"sip:nobody@{house.address}", "--no-transcript")
    assert done.returncode == 1
    assert done.stderr.startswith(f"voicegw: sip:nobody@{house.address}: 404 ")
    assert "no dialplan route matches" in done.stderr


def test_call_to_a_host_that_is_not_there(tmp_path: Path) -> None:
    done = voicegw(tmp_path, "call", "sip:demo@no-such-host.invalid", "--no-transcript")
    assert done.returncode == 1
    assert "voicegw: sip:demo@no-such-host.invalid: " in done.stderr


def test_call_says_that_it_cannot_record(house: FaultServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = voicegw(tmp_path, "call", house.uri, "--keys", "1234", "--record", "file/call.wav", "--no-transcript")
    assert done.returncode == 1
    assert "voicegw: not recorded: " in done.stderr


def test_a_second_server_on_the_same_port_says_so_and_leaves_nothing(house: FaultServer) -> None:
    store = "store: {url: 'sqlite:///second.sqlite', spool: second}\n"
    (house.home / "second.yaml").write_text((house.home / "voicegw.yaml").read_text() + store)
    second = ForkedServer(["serve", "-c", "second.yaml"], house.home / "second.log", namespace=None, cwd=house.home)
    assert second.wait(_LONGEST_S) == 1
    complaint = f"voicegw: cannot listen for SIP on UDP {house.address}: Address already in use"
    assert second.output.splitlines()[-1] == complaint
    doctor = voicegw(house.home, "doctor", "-c", "voicegw.yaml")
    assert doctor.returncode == 0
    assert "is taken, and the server of this configuration runs" in doctor.stdout
    with house.phone() as phone:
        assert phone.dial() == 200


def test_a_server_with_another_key_than_its_store_does_not_start(tmp_path: Path) -> None:
    seal_by_another(tmp_path)
    config = yaml.safe_load((tmp_path / "voicegw.yaml").read_text())
    sip = {"listen_ip": "127.0.0.1", "listen_port": free_port()}
    (tmp_path / "voicegw.yaml").write_text(yaml.safe_dump({**config, "sip": sip}))
    done = voicegw(tmp_path, "serve", "-c", "voicegw.yaml")
    assert done.returncode == 1
    refused, fix = done.stderr.splitlines()[-2:]
    assert refused.startswith(f"voicegw: {tmp_path / 'secrets.key'}: is not the key of the store sqlite:///")
    assert "it needs that of node a" in refused and "voicegw store key" in fix
    assert voicegw(tmp_path, "store", "key", "-c", "voicegw.yaml").returncode == 1
