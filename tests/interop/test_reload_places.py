"""Folders and media workers that a reload changes under a running call: it ends where it began, the next one begins
elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.interop.fault_server import MEDIA, FaultServer
from tests.interop.raw_phone import RawPhone
from tests.interop.sound import read_wav, speech_seconds
from voicegw.cli.main import main

pytestmark = [pytest.mark.interop, pytest.mark.realtime]


def _reload(server: FaultServer, capsys: pytest.CaptureFixture[str], **sections: dict[str, Any]) -> dict[str, Any]:
    config = yaml.safe_load(server.configuration.read_text())
    for name, values in sections.items():
        config[name] = config.get(name, {}) | values
    server.configuration.write_text(yaml.safe_dump(config))
    assert main(["reload", "-c", str(server.configuration), "--json"]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def _facts(path: Path) -> dict[str, dict[str, Any]]:
    """The facts of a plain log by their kinds."""
    lines = path.read_text().splitlines(keepends=True)
    facts = [json.loads(line)["data"] for line in lines if line.endswith("\n")]
    return {fact["fact"]: fact for fact in facts}


def _hears_keys_read_back(phone: RawPhone) -> None:
    since = phone.mark()
    phone.press("97531#")
    phone.wait_heard(lambda samples: speech_seconds(samples) >= 1, 30, since)


def test_a_call_ends_where_it_began_and_the_next_one_has_other_folders_and_workers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = FaultServer(tmp_path, settings={"media": {"draining_s": 0.5}})
    with server, server.phone() as before, server.phone() as after:
        assert before.dial() == 200 and before.remote is not None
        old = server.worker_at(before.remote[1])
        places = {"recordings": "later/recordings", "calls": "later/calls"}
        media = {"max_legs": 16, "workers": 2}
        report = _reload(server, capsys, paths=places, media=media)
        wanted = {"paths.recordings", "paths.calls", "media.max_legs", "media.workers"}
        assert (set(report["changed"]), report["need_restart"]) == (wanted, [])
        assert after.dial() == 200 and after.remote is not None
        assert server.worker_at(after.remote[1]) != old == server.worker_at(before.remote[1])
        assert len(server.workers(MEDIA)) == 3
        for phone in (before, after):
            _hears_keys_read_back(phone)
            phone.hang_up()
        ended = server.wait_ended(before)
        later = server.home / "later"
        server.wait(
            lambda: any("CallHasEnded" in _facts(path) for path in (later / "calls").iterdir()),
            30,
            "the call that began after the reload has its log in the new folder",
        )
        (log,) = (later / "calls").iterdir()
        facts = _facts(log)
        assert facts["CallWasOffered"]["sip_call_id"] == after.call_id
        heard = {
            server.home / "recordings": Path(ended.one("RecordingHasEnded")["path"]),
            later / "recordings": Path(facts["RecordingHasEnded"]["path"]),
        }
        for folder, recording in heard.items():
            assert [recording] == list(folder.iterdir())
            assert speech_seconds(read_wav(recording)[1]) >= 1
        server.wait(lambda: old not in server.workers(MEDIA), 60, "the worker of before ends with its last call")
        assert len(server.workers(MEDIA)) == 2
        with server.phone() as last:
            assert last.dial() == 200
            _hears_keys_read_back(last)
            last.hang_up()
            server.wait(lambda: len(list((later / "recordings").glob("*.wav"))) == 2, 30, "it is recorded as well")
