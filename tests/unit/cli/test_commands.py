"""``serve``, ``call``, ``doctor`` and ``demo`` where they cannot even begin."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from voicegw import __version__
from voicegw.cli import doctor, main


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A UDP port of loopback that somebody has."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    assert "COMMAND" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"voicegw {__version__}\n"


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("nonsense", "not a URI: 'nonsense'"),
        ("sip:", "not a URI: 'sip:'"),
        ("sip:demo@127.0.0.1:99999", "bad port '99999'"),
        ("sip:demo@256.1.1.1", "bad host '256.1.1.1'"),
        ("sips:demo@127.0.0.1", "TLS"),
    ],
)
def test_call_refuses_a_target_before_anything_starts(
    capsys: pytest.CaptureFixture[str], uri: str, complaint: str
) -> None:
    assert main(["call", uri]) == 1
    error = capsys.readouterr().err
    assert error.startswith("voicegw: ")
    assert complaint in error


def test_call_reads_its_sound_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["call", "sip:demo@127.0.0.1", "--wav", str(tmp_path / "none.wav")]) == 1
    assert "none.wav: cannot be read: No such file or directory" in capsys.readouterr().err
    (tmp_path / "text.wav").write_text("this is no sound")
    assert main(["call", "sip:demo@127.0.0.1", "--wav", str(tmp_path / "text.wav")]) == 1
    assert "voicegw: " in capsys.readouterr().err


@pytest.mark.parametrize("key", ["calls", "recordings"])
def test_serve_names_the_directory_that_it_cannot_make(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    (tmp_path / "file").touch()
    config = tmp_path / "voicegw.yaml"
    paths = {"calls": "calls", "recordings": "recordings"} | {key: "file/below"}
    config.write_text(f"paths: {paths}\n")
    assert main(["serve", "--config", str(config)]) == 1
    error = capsys.readouterr().err
    assert f"{tmp_path}/file/below: cannot be made: Not a directory" in error
    assert f"paths.{key}" in error


def test_demo_names_the_directory_that_it_cannot_make(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["demo", "--out", str(tmp_path / "file" / "below")]) == 1
    assert "--out" in capsys.readouterr().err


def _doctor(work: Path, settings: str) -> int:
    config = work / "voicegw.yaml"
    config.write_text(settings)
    return main(["doctor", "--config", str(config)])


def test_doctor_finds_nothing_that_keeps_calls_from_working(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _doctor(tmp_path, "sip: {listen_ip: 127.0.0.1, listen_port: 0}\n") == 0
    out = capsys.readouterr().out
    topics = (
        "python",
        "address",
        "sip port",
        "rtp ports",
        "codecs",
        "srtp",
        "vad model",
        "asr",
        "tts",
        "dialplan",
        "clock",
    )
    for topic in (*topics, "open files", "cores", "recordings", "spool"):
        assert f"  {topic}: " in out
    assert "FAIL" not in out


def test_doctor_warns_of_keys_that_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _doctor(tmp_path, "sip: {listen_ip: 127.0.0.1, listen_port: 0, srtp_in_clear: true}\n")
    assert "its keys can be read on the way" in capsys.readouterr().out


def test_doctor_fails_on_a_taken_port_and_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], taken_port: int
) -> None:
    assert _doctor(tmp_path, f"sip: {{listen_ip: 127.0.0.1, listen_port: {taken_port}}}\n") == 1
    out = capsys.readouterr().out
    assert (
        f"FAIL  sip port: 127.0.0.1:{taken_port}/udp cannot be bound: Address already in use\n      -> stop" in out
    )


def test_doctor_takes_ports_of_the_running_server_for_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], taken_port: int
) -> None:
    (tmp_path / "var").mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.bind(str(tmp_path / "var" / "control.sock"))
        control.listen()
        assert _doctor(tmp_path, f"sip: {{listen_ip: 127.0.0.1, listen_port: {taken_port}}}\n") == 0
    out = capsys.readouterr().out
    assert f"  ok  sip port: 127.0.0.1:{taken_port}/udp is taken, and the server of this configuration runs" in out


@pytest.mark.parametrize("is_right", [True, False])
def test_doctor_asks_the_kernel_whether_the_clock_is_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, is_right: bool
) -> None:
    monkeypatch.setattr(doctor, "_is_synchronised", lambda: is_right)
    _doctor(tmp_path, "sip: {listen_ip: 127.0.0.1, listen_port: 0}\n")
    assert ("not synchronised" in capsys.readouterr().out) is not is_right


def test_doctor_fails_on_a_dialplan_that_check_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _doctor(tmp_path, "sip: {listen_port: 0}\npaths: {dialplan: none.yaml}\n") == 1
    assert "FAIL  dialplan: " in capsys.readouterr().out


def test_doctor_warns_of_few_rtp_ports_and_an_advertised_address(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = "sip: {listen_ip: 127.0.0.1, listen_port: 0, advertised_ip: 203.0.113.5}\n"
    assert _doctor(tmp_path, settings + "media: {port_low: 40000, port_high: 40099}\n") == 0
    out = capsys.readouterr().out
    assert "warn  rtp ports: 40000-40099/udp, 50 legs" in out
    assert "peers are told 203.0.113.5" in out
