"""Desk phones of people: baresip registers, is called when a caller is put through, refreshes, and leaves."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.interop.baresip_peer import Baresip, dial, hang_up, hang_up_by_peer, listen
from tests.interop.namespace import Namespace
from tests.interop.server import CallLog, Server
from tests.interop.sound import seconds_with, tone
from tests.interop.test_supervision import controlled
from voicegw.cli.main import main
from voicegw.sip.digest import Algorithm, make_ha1

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

DOMAIN, SECRET = "voice.test", "rose garden"
CALLER_HZ, DESK_HZ = 1000, 1700


def phones() -> dict[str, Any]:
    """Anna's phone; short registrations are granted."""
    anna = {
        "name": "anna",
        "md5": make_ha1(Algorithm.MD5, "anna", DOMAIN, SECRET),
        "sha256": make_ha1(Algorithm.SHA_256, "anna", DOMAIN, SECRET),
    }
    return {"domain": DOMAIN, "accounts": [anna], "min_expires_s": 2, "expires_s": 60}


def house(work: Path, namespace: Namespace, *, is_open: bool = True) -> Server:
    """A server that puts every caller through to Anna's phone."""
    target = {"name": "desk", "uri": f"sip:anna@{DOMAIN}", "kind": "bridged"}
    settings = {"phones": phones() if is_open else {}, "transfer": {"targets": [target]}}
    return Server(work, agent="put_through", namespace=namespace, settings=settings)


def account(server: Server, secret: str = SECRET, regint: int = 60, transport: str = "udp") -> str:
    """Anna's account, as baresip wants it."""
    registrar = f"sip:{server.address};transport={transport}"
    return (
        f'<sip:anna@{DOMAIN};transport={transport}>;auth_user=anna;auth_pass="{secret}";outbound="{registrar}"'
        f";regint={regint};answermode=auto"
    )


def seen(server: Server, words: str, within_s: float = 30.0) -> None:
    """Wait until the server has logged this."""
    deadline = time.monotonic() + within_s
    while words not in server.process.output:
        assert time.monotonic() < deadline, f"nothing of {words!r}:\n{server.process.output}"
        time.sleep(0.05)


def put_through(server: Server, caller: Baresip) -> CallLog:
    """A call that hears Anna's phone for three seconds."""
    seen(server, "phone registered")
    caller.do(dial(server.uri))
    server.wait_recorded(lambda _caller, sent: seconds_with(sent, DESK_HZ) >= 3)
    caller.do(hang_up())
    return server.call()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_caller_is_put_through_to_a_registered_phone(
    tmp_path: Path, namespace: Namespace, transport: str
) -> None:
    with (
        house(tmp_path, namespace) as server,
        Baresip(tmp_path, namespace, tone(DESK_HZ, 60), account=account(server, transport=transport)) as desk,
        Baresip(tmp_path, namespace, tone(CALLER_HZ, 60)) as caller,
    ):
        log = put_through(server, caller)
    assert [fact["step"] for fact in log.all("TransferHasProgressed")][-1] == "answered"
    assert log.one("CallerWasConnected")["target"] == "desk"
    assert seconds_with(caller.heard(), DESK_HZ) >= 2
    assert seconds_with(desk.heard(), CALLER_HZ) >= 2
    assert seconds_with(desk.heard(), DESK_HZ) == 0


def test_a_reload_opens_the_registrar_and_the_next_caller_is_put_through(
    tmp_path: Path, namespace: Namespace
) -> None:
    with house(tmp_path, namespace, is_open=False) as server:
        config = yaml.safe_load(server.configuration.read_text()) | {"phones": phones()}
        server.configuration.write_text(yaml.safe_dump(config))
        assert main(["reload", "-c", str(server.configuration)]) == 0
        with (
            Baresip(tmp_path, namespace, tone(DESK_HZ, 60), account=account(server)) as desk,
            Baresip(tmp_path, namespace, tone(CALLER_HZ, 60)) as caller,
        ):
            log = put_through(server, caller)
    assert log.one("CallerWasConnected")["target"] == "desk"
    assert seconds_with(caller.heard(), DESK_HZ) >= 2 and seconds_with(desk.heard(), CALLER_HZ) >= 2


@pytest.mark.long
def test_a_supervisor_is_called_at_a_registered_phone(tmp_path: Path, namespace: Namespace) -> None:
    with (
        controlled(tmp_path, namespace, {"phones": phones()}) as running,
        Baresip(tmp_path, namespace, tone(DESK_HZ, 60), account=account(running.server)) as boss,
        Baresip(tmp_path, namespace, tone(CALLER_HZ, 60)) as caller,
    ):
        caller.do(dial(running.server.uri))
        running.in_time(do="supervise", uri=f"sip:anna@{DOMAIN}", mode="barge")
        running.server.wait_recorded(lambda _caller, sent: seconds_with(sent, DESK_HZ) >= 2.5)
        caller.do(hang_up())
        log = running.server.call()
    assert [fact["mode"] for fact in log.all("SupervisorModeHasChanged")] == ["listen", "barge"]
    assert seconds_with(boss.heard(), CALLER_HZ) >= 1.5
    assert seconds_with(caller.heard(), DESK_HZ) >= 1.5


def counted(server: Server, name: str) -> int:
    """A counter at the end of the server."""
    stopped = json.loads(server.process.output.splitlines()[-1])
    return int(stopped["counters"].get(name, 0))


def test_a_phone_refreshes_and_leaves(tmp_path: Path, namespace: Namespace) -> None:
    with house(tmp_path, namespace) as server:
        with Baresip(tmp_path, namespace, tone(DESK_HZ, 20), account=account(server, regint=2)) as desk:
            seen(server, "phone registered")
            desk.do(listen(8))
            desk.process.stop(timeout_s=60)
        seen(server, "phone gone")
    assert counted(server, "sip_registrations") >= 4, "it came, refreshed twice, and left"


def test_a_phone_with_a_wrong_password_is_nobody(tmp_path: Path, namespace: Namespace) -> None:
    with (
        house(tmp_path, namespace) as server,
        Baresip(tmp_path, namespace, tone(DESK_HZ, 20), account=account(server, "guess")),
        Baresip(tmp_path, namespace, tone(CALLER_HZ, 20)) as caller,
    ):
        caller.do([*dial(server.uri), *hang_up_by_peer()])
        log = server.call()
        assert "phone registered" not in server.process.output
    assert log.one("TransferHasFailed")["reason"] == "not_possible"
    assert "Nobody can take your call." in log.agent_said
