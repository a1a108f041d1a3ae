"""Files and store with the real server: edited files, publications, and what the next call uses."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml

from tests.interop.fault_server import FaultServer
from tests.interop.server import FLOWS
from tests.unit.api.rig import PASSWORD


def next_agent(server: FaultServer) -> str:
    """Which agent takes the next call."""
    with server.phone() as phone:
        assert phone.dial() == 200
        (routed,) = server.wait_facts(phone, "CallWasRouted")
        phone.hang_up()
        server.wait_ended(phone)
    return str(routed["agent"])


def plan(agent: str) -> str:
    return yaml.safe_dump({"routes": [{"name": "everything", "agent": agent}]})


@contextmanager
def administered(server: FaultServer) -> Iterator[httpx.Client]:
    """A client of the server's API that may do everything."""
    link = re.compile(r"once: (http://[^/]+)/setup#([^\"\\\s]+)")
    server.wait(lambda: bool(link.search(server.process.output)), 60.0, "there is a link for the first user")
    found = link.search(server.process.output)
    assert found is not None
    with httpx.Client(base_url=found[1], timeout=60) as client:
        made = client.post("/v1/setup", json={"token": found[2], "name": "root", "password": PASSWORD})
        assert made.status_code == 201, made.text
        token = client.post("/v1/session", json={"name": "root", "password": PASSWORD}).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


def publish(client: httpx.Client, path: str, text: str, version: int) -> None:
    saved = client.put(path, json={"text": text}, headers={"If-Match": "*"})
    assert saved.status_code == 200, saved.text
    done = client.post(f"{path}/publish", json={"version": version}, headers={"If-Match": "*"})
    assert done.status_code == 200, done.text


def serving(tmp_path: Path, files: str) -> FaultServer:
    server = FaultServer(
        tmp_path,
        settings={
            "api": {"enabled": True, "listen_port": 0, "key_file": "secrets.key"},
            "store": {"files": files, "url": "sqlite:///store.sqlite", "spool": "spool"},
        },
    )
    (server.home / "agents" / "goodbye.yaml").write_text((FLOWS / "goodbye.yaml").read_text())
    return server


def reload(server: FaultServer, count: int) -> None:
    os.kill(server.process.pid, signal.SIGHUP)
    server.wait_logged("dialplan reloaded", count)


def test_an_edited_file_is_a_version_and_a_publication_stays_in_force(tmp_path: Path) -> None:
    with serving(tmp_path, "import") as server, administered(server) as client:
        (server.home / "dialplan.yaml").write_text(plan("goodbye"))
        reload(server, 1)
        kept = client.get("/v1/dialplans/dialplan").json()
        assert (kept["published"], kept["text"]) == (2, plan("goodbye"))
        assert next_agent(server) == "goodbye"
        publish(client, "/v1/dialplans/dialplan", plan("echo_keys") + "# by hand\n", 3)
        reload(server, 2)  # the file was not edited since: it does not undo the publication
        assert next_agent(server) == "echo_keys"
        assert (server.home / "dialplan.yaml").read_text() == plan("goodbye")
        rows = client.get("/v1/audit").json()["items"]
        assert [row["actor"] for row in rows if row["action"] == "dialplan.publish"] == ["root", "files", "files"]


def test_files_follow_what_is_published_where_that_is_wished(tmp_path: Path) -> None:
    with serving(tmp_path, "mirror") as server, administered(server) as client:
        publish(client, "/v1/dialplans/dialplan", plan("goodbye"), 2)
        assert (server.home / "dialplan.yaml").read_text() == plan("goodbye")
        assert next_agent(server) == "goodbye"
        reload(server, 1)
        assert client.get("/v1/dialplans/dialplan").json()["published"] == 2
