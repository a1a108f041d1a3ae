"""``voicegw backup`` during calls; what is restored elsewhere has all facts and the recording."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.interop.fault_server import FaultServer
from tests.interop.sound import read_wav, seconds_with, tone
from voicegw.base.metrics import Counters
from voicegw.cli.main import main
from voicegw.config import load_config
from voicegw.recording.seal_keys import SealPrivateKey, write_key_pair
from voicegw.storage.config import StoreConfig
from voicegw.storage.writer import StoreWriter

pytestmark = [pytest.mark.interop, pytest.mark.realtime]


def voicegw(*words: str | Path) -> int:
    return main([str(word) for word in words])


def facts_on_disk(home: Path) -> dict[str, int]:
    """How many facts of each call its plain log has."""
    return {path.stem: len(path.read_text().splitlines()) for path in (home / "calls").glob("*.jsonl")}


def facts_in_database(home: Path) -> dict[str, int]:
    with closing(sqlite3.connect(f"file:{home / 'var' / 'voicegw.sqlite'}?mode=ro", uri=True)) as database:
        return dict(database.execute("SELECT call_id, count(*) FROM call_events GROUP BY call_id").fetchall())


def settle(config: StoreConfig) -> None:
    """What a server that starts there does first: what is in the spool goes into the database."""
    writer = StoreWriter(config, Counters())
    assert writer.settle(30)
    writer.close()


def test_a_backup_during_calls_is_restored_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seal = {"seal_to": ["seal.pub"], "unseal_with": ["seal.key"]}
    server = FaultServer(tmp_path, settings={"recording": seal})
    write_key_pair(SealPrivateKey.generate(), server.home / "seal.key", server.home / "seal.pub")
    archive, new = tmp_path / "backup.tar.gz", tmp_path / "elsewhere"
    with server, server.phone("late") as late:
        with server.phone("early") as early:
            assert early.dial() == 200
            early.play(tone(1000, 4))
            early.wait_played()
            early.hang_up()
            recording = Path(server.wait_ended(early).one("RecordingHasEnded")["path"])
        assert late.dial() == 200
        late.press("2468#")
        server.wait_facts(late, "CallerSpoke")
        known = facts_on_disk(server.home)
        server.wait(lambda: facts_in_database(server.home).keys() == known.keys(), 30, "both calls are stored")
        acknowledged = facts_in_database(server.home)
        assert voicegw("backup", archive, "-c", server.configuration, "--recordings") == 0
        late.hang_up()
        server.wait_ended(late)
    assert voicegw("restore", archive, new) == 0
    assert voicegw("restore", archive, new) == 1
    assert "nothing is overwritten" in capsys.readouterr().err

    config = new / "voicegw.yaml"
    settle(load_config(config).store)
    found = facts_in_database(new)
    assert all(found[call] >= count for call, count in acknowledged.items()), (found, acknowledged)
    assert voicegw("store", "verify", "-c", config) == 0
    assert "2 calls, 0 of them open, 0 facts lost" in capsys.readouterr().out
    sealed, plain = new / "recordings" / recording.name, tmp_path / "plain.wav"
    assert voicegw("recordings", "unseal", sealed, "--out", plain, "-c", config) == 0
    caller, _agent = read_wav(plain)
    assert seconds_with(caller, 1000) >= 1
