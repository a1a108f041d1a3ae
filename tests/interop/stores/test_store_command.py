"""``voicegw store``: what an operator does by hand, on a store in a file."""

from __future__ import annotations

import asyncio
import json
import zipfile
from pathlib import Path

import pytest
import yaml
from sqlalchemy import text

from tests.interop.stores.test_writer import stored
from tests.unit.storage.sample_call import call_id, sample_call
from voicegw.base.ids import CallId
from voicegw.call.facts import encode_entry
from voicegw.cli.main import main
from voicegw.config import SHIPPED_DIALPLANS
from voicegw.storage.config import StoreConfig
from voicegw.storage.document_sync import read_directory
from voicegw.storage.rejected import RejectedFacts
from voicegw.storage.spool import SpooledFact
from voicegw.storage.store import Store

MINE = "+4930111222"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration file, and two calls in its store."""
    store = {"url": "sqlite:///store.sqlite", "spool": "spool", "batch_ms": 5}
    paths = {"calls": "", "recordings": "recordings", "tools": "tools.sqlite"}
    (tmp_path / "voicegw.yaml").write_text(yaml.safe_dump({"store": store, "paths": paths}))
    place = StoreConfig(url=f"sqlite:///{tmp_path}/store.sqlite", spool=str(tmp_path / "spool"), batch_ms=5)
    stored(place, [(call_id(0), sample_call(0, calling=MINE)), (call_id(1), sample_call(1))])
    return tmp_path / "voicegw.yaml"


def store(config: Path, *arguments: str) -> int:
    return main(["store", *arguments, "--config", str(config)])


def change(config: Path, statement: str) -> None:
    async def body() -> None:
        opened = Store(StoreConfig(url=f"sqlite:///{config.parent}/store.sqlite"))
        async with opened.write() as unit:
            await unit.connection.execute(text(statement))
        await opened.close()

    asyncio.run(body())


def test_verify_says_what_is_wrong_and_where(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert store(config, "verify") == 0
    assert "2 calls, 0 of them open" in capsys.readouterr().out
    change(config, "UPDATE call_events SET content = x'00' WHERE call_id = 'c1' AND seq = 3")
    assert store(config, "verify") == 1
    assert "call c1: #3: its content was changed" in capsys.readouterr().err
    assert store(config, "verify", "--call", "c0") == 0
    assert store(config, "verify", "--call", "nobody") == 1
    assert "there is no call nobody" in capsys.readouterr().err


def test_a_number_is_exported_then_erased_with_a_certificate(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.zip"
    assert store(config, "export", MINE, str(out)) == 0
    assert zipfile.ZipFile(out).namelist() == ["calls/c0.json"]
    assert store(config, "export", MINE, str(out)) == 1
    assert store(config, "export", "--all", str(tmp_path / "all.zip")) == 0
    assert store(config, "export", str(tmp_path / "none.zip")) == 1
    capsys.readouterr()
    assert store(config, "erase", MINE, "--yes", "--reason", "letter of May") == 0
    certificate = json.loads(capsys.readouterr().out)
    assert [one["call_id"] for one in certificate["calls"]] == ["c0"]
    assert certificate["reason"] == "letter of May"
    assert store(config, "verify") == 0
    assert store(config, "export", MINE, str(tmp_path / "again.zip")) == 1
    assert "no call of that number" in capsys.readouterr().err


def test_erasing_asks_first(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda _prompt: "no")
    assert store(config, "erase", MINE) == 1
    assert store(config, "export", MINE, str(config.parent / "still.zip")) == 0


def test_documents_go_in_and_come_out(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert store(config, "import", str(SHIPPED_DIALPLANS)) == 0
    assert "published: dialplan dialplan" in capsys.readouterr().out
    assert store(config, "dump", str(tmp_path / "out")) == 0
    assert read_directory(tmp_path / "out") == read_directory(SHIPPED_DIALPLANS)
    (tmp_path / "out" / "dialplan.yaml").write_text("routes: [{name: a, agent: nobody}]\n")
    assert store(config, "import", str(tmp_path / "out")) == 1
    assert "dialplan.yaml:1" in capsys.readouterr().err


def test_rejected_facts_are_tried_again(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    calls = [*((CallId("c7"), entry) for entry in sample_call(7)), (CallId("c1"), sample_call(1)[-1])]
    RejectedFacts(config.parent / "spool").add(
        SpooledFact(id, entry.seq, type(entry.data).__name__, 1, bytes(32), encode_entry(entry)[:-1])
        for id, entry in calls
    )
    assert store(config, "rejected", "list") == 0
    assert "c7: " in capsys.readouterr().out
    assert store(config, "rejected", "retry") == 1
    assert "c1: their call is sealed" in capsys.readouterr().err
    assert store(config, "verify", "--call", "c7") == 0
    assert {fact.call_id for fact in RejectedFacts(config.parent / "spool").read()} == {"c1"}


def test_a_store_that_is_not_there_is_not_made_by_looking(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "voicegw.yaml").write_text("store: {url: 'sqlite:///store.sqlite', spool: spool}\n")
    assert store(tmp_path / "voicegw.yaml", "verify") == 1
    assert "voicegw store migrate" in capsys.readouterr().err
    assert not (tmp_path / "store.sqlite").exists()
    assert store(tmp_path / "voicegw.yaml", "migrate") == 0
    assert store(tmp_path / "voicegw.yaml", "verify") == 0
