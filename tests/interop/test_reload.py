"""``voicegw reload`` at a running server: what can change does, the rest is named, a wrong file changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.interop.fault_server import TTS, FaultServer
from tests.interop.process import alive
from tests.interop.sound import speech_seconds
from voicegw.cli.main import main

pytestmark = [pytest.mark.interop, pytest.mark.realtime]


def test_a_configuration_changes_under_a_running_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = FaultServer(tmp_path, expected=("reload refused",))

    def write(**sections: dict[str, Any]) -> None:
        config = yaml.safe_load(server.configuration.read_text())
        for name, values in sections.items():
            config[name] = config.get(name, {}) | values
        server.configuration.write_text(yaml.safe_dump(config))

    def reload() -> dict[str, list[str]]:
        assert main(["reload", "-c", str(server.configuration), "--json"]) == 0
        report: dict[str, list[str]] = json.loads(capsys.readouterr().out)
        return report

    with server, server.phone() as phone:
        assert phone.dial() == 200
        engines = server.workers(TTS)
        write(
            limits={"max_calls": 1}, speech={"tts": ["espeak"]}, media={"draining_s": 1.0}, log={"level": "debug"}
        )
        report = reload()
        assert set(report["changed"]) == {"limits.max_calls", "speech.tts", "log.level"}
        assert report["need_restart"] == ["media.draining_s"]
        with server.phone() as late:
            assert late.dial() == 503
        since = phone.mark()
        phone.press("97531#")
        phone.wait_heard(lambda samples: speech_seconds(samples) >= 1, 30, since)
        assert set(engines) <= set(alive(engines)), "a call that began with an engine keeps it"
        write(limits={"max_calls": 5}, sip={"codecs": ["mp3"]})
        assert main(["reload", "-c", str(server.configuration)]) == 1
        said = capsys.readouterr().err
        assert f"{server.configuration}:" in said and "unknown codecs: mp3" in said and "choose from" in said
        with server.phone() as late:
            assert late.dial() == 503, "nothing of a wrong file is in force"
        write(sip={"codecs": ["PCMU"]})
        assert set(reload()["changed"]) == {"limits.max_calls", "sip.codecs"}
        phone.hang_up()
        server.wait(lambda: alive(engines) == [], 30, "the engine ends with the last call that began with it")
        with server.phone() as late:
            assert late.dial() == 200
            late.wait_heard(lambda samples: speech_seconds(samples) >= 0.5, 30)
            late.hang_up()
