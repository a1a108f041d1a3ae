"""compose.full.yaml as a whole: what one part is told of another one is so."""

from __future__ import annotations

import ipaddress
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.docker.dockerfile import DOCKER, ROOT
from tests.unit.docker.files import compose
from tests.unit.docker.mounts import made_first, mounts
from voicegw.config import Config, load_config
from voicegw.dialplan.compile import RouteRequest
from voicegw.dialplan.load import load_dialplan
from voicegw.dialplan.match import ToAgent

NODES = ("a", "b")


@pytest.fixture(scope="module")
def full() -> dict[str, Any]:
    return compose("compose.full.yaml")


def address(document: dict[str, Any], service: str) -> str:
    return str(document["services"][service]["networks"]["voice"]["ipv4_address"])


def node(name: str) -> Config:
    return load_config(DOCKER / f"full/voicegw-{name}.yaml")


@pytest.fixture(scope="module")
def etc(full: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """/etc/asterisk of the container when Asterisk starts: what is mounted, and what its command writes."""
    place: Path = tmp_path_factory.mktemp("asterisk")
    (place / "voicegw").mkdir()
    for one in mounts(full, "asterisk"):
        if one.source is not None and one.target.is_relative_to("/etc/asterisk"):
            shutil.copy(one.source, place / one.target.name)
    shell, option, script = full["services"]["asterisk"]["command"]
    assert script.endswith("exec asterisk -f")
    script = script.removesuffix("exec asterisk -f").replace("$$", "$")
    script = script.replace("/voicegw/*", f"{ROOT}/asterisk/*").replace("/etc/asterisk", str(place))
    subprocess.run([shell, option, script], check=True, timeout=60)
    return place


def without_comments(path: Path) -> str:
    return "\n".join(line.partition(";")[0].rstrip() for line in path.read_text().splitlines())


def read(etc: Path, name: str) -> str:
    """A file of Asterisk's, what it includes in its place."""
    text = without_comments(etc / name)
    return re.sub(r"^#include (\S+)$", lambda found: without_comments(etc / found[1]), text, flags=re.MULTILINE)


def test_asterisk_reads_every_file_that_ships_for_it(etc: Path) -> None:
    shipped = sorted(path.name for path in (ROOT / "asterisk").glob("*.conf"))
    assert len(shipped) == 4
    for name in shipped:
        main = name.replace("_voicegw", "")
        assert f"#include voicegw/{name}\n" in (etc / main).read_text(), f"{main} lacks {name}"
        assert (etc / "voicegw" / name).read_text()


def test_the_queue_and_the_music_that_the_dialplan_names_are_there(etc: Path) -> None:
    plan, queues, music = (read(etc, name) for name in ("extensions.conf", "queues.conf", "musiconhold.conf"))
    (queue,) = re.findall(r"Queue\((\w+)", plan)
    assert re.search(rf"^\[{queue}\]$", queues, re.MULTILINE)
    (member,) = re.findall(r"^member => PJSIP/(\w+)$", queues, re.MULTILINE)
    assert f"[{member}]\ntype=endpoint" in (etc / "pjsip.conf").read_text(), "somebody takes the calls"
    (kind,) = re.findall(r"^musicclass=(\w+)$", queues, re.MULTILINE)
    (suggested,) = re.findall(r"^moh_suggest=(\w+)$", read(etc, "pjsip.conf"), re.MULTILINE)
    assert kind == suggested and re.search(rf"^\[{kind}\]$", music, re.MULTILINE)


def test_no_example_of_an_address_is_left(full: dict[str, Any], etc: Path) -> None:
    files = [one for one in etc.rglob("*") if one.is_file()]
    for service in full["services"]:
        for one in mounts(full, service):
            if one.source is not None and service != "asterisk":
                files += [path for path in (one.source, *one.source.rglob("*")) if path.is_file()]
    assert len(files) > 20
    assert [path for path in files if "192.0.2." in path.read_text()] == []


def test_asterisk_takes_calls_of_ours_without_a_password_and_nobody_elses(full: dict[str, Any], etc: Path) -> None:
    """Docker's bridge has the network's first address: a telephone on this machine comes from there."""
    (known,) = re.findall(r"^match=(\S+)$", read(etc, "pjsip.conf"), re.MULTILINE)
    ours = [address(full, "kamailio"), *(address(full, f"voicegw-{name}") for name in NODES)]
    assert known.split(",") == ours
    contact = re.findall(r"^contact=sip:([\d.]+):5060$", read(etc, "pjsip.conf"), re.MULTILINE)
    assert contact == [address(full, "kamailio")]


def test_a_node_listens_where_asterisk_brings_calls_by_audiosocket(full: dict[str, Any], etc: Path) -> None:
    (there,) = re.findall(r"AudioSocket\([^,]+,(\S+)\)", read(etc, "extensions.conf"))
    listeners = {name: node(name).audiosocket.listeners for name in NODES}
    assert {name: [one.ip for one in found] for name, found in listeners.items()} == {
        name: [address(full, f"voicegw-{name}")] for name in NODES
    }
    everywhere = [one for found in listeners.values() for one in found]
    assert there in [f"{one.ip}:{one.port}" for one in everywhere]
    asterisk = ipaddress.ip_address(address(full, "asterisk"))
    assert all(asterisk in network for one in everywhere for network in one.networks)


def test_kamailio_tells_its_address_to_those_who_have_to_come_back_by_it(full: dict[str, Any]) -> None:
    """Record-Route names what it listens on."""
    program = full["services"]["kamailio"]["build"]["dockerfile_inline"]
    (listen,) = re.findall(r'"VOICEGW_LISTEN=udp:([\d.]+):5060"', program)
    assert listen == address(full, "kamailio")


def test_the_nodes_believe_kamailio_who_is_behind_it(full: dict[str, Any]) -> None:
    for name in NODES:
        assert node(name).sip.guard.balancers == (address(full, "kamailio"),)


def test_kamailio_answers_an_asterisk_that_asks_whether_it_is_there(full: dict[str, Any]) -> None:
    program = full["services"]["kamailio"]["build"]["dockerfile_inline"]
    assert f'"VOICEGW_KNOWN=\\"{address(full, "asterisk")}/32\\""' in program


@pytest.mark.parametrize("called", ["demo", "7000", "7001", "7002", "7099", "7100"])
def test_the_numbers_that_lead_to_voicegw_lead_to_an_agent(full: dict[str, Any], called: str) -> None:
    config = node("a")
    (plan,) = (one.source for one in mounts(full, "voicegw-a") if str(one.target) == config.paths.dialplan)
    assert plan is not None
    agents = {path.stem for path in Path(config.paths.agents).glob("*.yaml")}
    decision = load_dialplan(plan, agents).route(RouteRequest(called, "2001", datetime(2026, 1, 1, tzinfo=UTC)))
    assert isinstance(decision, ToAgent)


def test_nodes_that_share_a_database_share_a_key(full: dict[str, Any]) -> None:
    """32 bytes as the server takes them, in no commit."""
    keys = set()
    for name in NODES:
        config = node(name)
        (mount,) = (one for one in mounts(full, f"voicegw-{name}") if str(one.target) == config.api.key_file)
        keys.add(mount.source)
    assert len({node(name).store.url for name in NODES}) == 1
    (key,) = keys
    assert key is not None
    assert made_first()[key] == "openssl rand 32 > secrets/voicegw_key"
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert all(f"{path.relative_to(ROOT)}" in ignored or "docker/secrets/" in ignored for path in made_first())
