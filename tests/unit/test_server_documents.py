"""The files of a node: read as documents, and made to say what is in force."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicegw.api.installation import Documents
from voicegw.base.errors import ConfigError
from voicegw.server_documents import DIALPLAN_NAME, NodeDocuments


@pytest.fixture
def files(tmp_path: Path) -> NodeDocuments:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "first.yaml").write_text("name: reception\n")
    (tmp_path / "dialplan.yaml").write_text("routes: []\n")
    return NodeDocuments(tmp_path / "agents", tmp_path / "dialplan.yaml")


def test_agents_are_known_by_the_names_they_give_themselves(files: NodeDocuments) -> None:
    assert files.read() == Documents({"reception": "name: reception\n"}, {DIALPLAN_NAME: "routes: []\n"})


def test_files_follow_and_keep_their_places(files: NodeDocuments) -> None:
    before = files.marks()
    files.write(files.read())
    assert files.marks() == before
    wanted = Documents(
        {"reception": "name: reception  # newer\n", "b": "name: b\n"}, {DIALPLAN_NAME: "routes: [1]\n"}
    )
    files.write(wanted)
    assert files.read() == wanted
    assert sorted(path.name for path in files.agents.iterdir()) == ["b.yaml", "first.yaml"]
    files.write(Documents({"b": "name: b\n"}, wanted.dialplans))
    assert [path.name for path in files.agents.iterdir()] == ["b.yaml"]


def test_a_file_that_is_gone_is_told(files: NodeDocuments) -> None:
    files.dialplan.unlink()
    assert files.dialplan not in files.marks()
    with pytest.raises(ConfigError, match="dialplan"):
        files.read()
