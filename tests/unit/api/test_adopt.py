"""Files and store at the start of a node, and documents that come into force as files do."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.unit.api.rig import Rig
from voicegw.agents.load import load_agents
from voicegw.api.installation import Documents
from voicegw.api.publishing import adopt
from voicegw.base.errors import ConfigError
from voicegw.dialplan.load import load_dialplan
from voicegw.runtime.dialplan_store import DialplanStore, Installation
from voicegw.runtime.http_client import HttpxClient
from voicegw.server_documents import NodeDocuments, NodeInstaller

HELLO = "name: hello\nsteps:\n  - hangup: Goodbye.\n"
PLAN = "routes:\n  - name: all\n    agent: hello\n"
FILES = Documents({"hello": HELLO}, {"dialplan": PLAN})


def test_an_empty_store_takes_the_files_in_and_a_full_one_wins(rig: Rig) -> None:
    rig.user("ada", "admin")
    rig.run(adopt(rig.parts, FILES))
    assert rig.installer.installed == []  # they are in force already
    kept = rig.get("/v1/agents/hello", "ada").json()
    assert (kept["text"], kept["published"]) == (HELLO, 1)
    other = Documents({"hello": HELLO.replace("Goodbye", "Bye")}, FILES.dialplans)
    rig.run(adopt(rig.parts, other))
    assert rig.installer.installed == [FILES]


def test_documents_come_into_force_or_leave_everything_as_it_was(tmp_path: Path) -> None:
    agents, dialplan = tmp_path / "agents", tmp_path / "dialplan.yaml"
    agents.mkdir()
    (agents / "first.yaml").write_text(HELLO)
    dialplan.write_text(PLAN)
    http = HttpxClient()

    def load(folder: Path, plan: Path) -> Installation:
        found = load_agents(folder, http)
        return Installation(load_dialplan(plan, found.keys()), found)

    async def body() -> None:
        prepared: list[int] = []

        def prepare() -> None:
            prepared.append(1)

        store = DialplanStore(lambda: load(agents, dialplan))
        on_disk = NodeDocuments(agents, dialplan)
        installer = NodeInstaller(store, load, on_disk, prepare)
        files = on_disk.read()
        assert files == FILES
        before = store.current
        for wrong in (
            files.changed("agent", "hello", None),
            files.changed("agent", "hello", "nonsense"),
            files.changed("dialplan", "dialplan", None),
        ):
            with pytest.raises(ConfigError):
                await installer.install(wrong)
            assert store.current is before
        await installer.install(files.changed("agent", "second", HELLO.replace("hello", "second")))
        assert sorted(store.current.agents) == ["hello", "second"] and prepared == [1]
        await http.close()

    asyncio.run(body())
