"""SRTP with baresip: its own SRTP, keys in SDP (RFC 4568), both ways of asking for it, called and calling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.certificates import Authority
from tests.interop.baresip_peer import Baresip, dial, hang_up, hang_up_by_peer, hold, listen, resume
from tests.interop.namespace import Namespace
from tests.interop.server import CallLog, Server
from tests.interop.sound import Samples, seconds_with, speech_seconds, tone
from tests.interop.test_phones import account, phones, seen
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

CALLER_HZ, DESK_HZ = 1000, 1700
BARESIP_FIRST, OURS_FIRST = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"
"""Whose offer it is decides: the first line that the other side can is taken."""
MODULE = "module srtp.so"


def phone(
    work: Path, namespace: Namespace, mediaenc: str, hz: int = CALLER_HZ, registered: str = "", more: str = ""
) -> Baresip:
    """``mediaenc``: srtp (where the other side can), srtp-mand (or no call), or nothing."""
    who = registered or f"<sip:bare@{namespace.address}>;regint=0;answermode=auto"
    chosen = f"{who};mediaenc={mediaenc}" if mediaenc else who
    return Baresip(work, namespace, tone(hz, 60), account=chosen, settings=f"{MODULE}\n{more}")


def suites(log: CallLog) -> list[str]:
    """What each leg was encrypted with, a called one first."""
    return [str(fact["srtp"]) for fact in sorted(log.all("MediaWasMeasured"), key=lambda fact: str(fact["leg"]))]


def both_talk(caller: Samples, agent: Samples) -> bool:
    """For long enough."""
    return seconds_with(caller, CALLER_HZ) >= 2.7 and speech_seconds(agent) >= 2


def talks(phone: Baresip, server: Server) -> CallLog:
    """A call with sound both ways."""
    phone.do(dial(server.uri))
    server.wait_recorded(both_talk)
    phone.do(hang_up())
    log = server.call()
    caller, _agent = server.recording(log)
    assert speech_seconds(phone.heard()) >= 1.5
    assert seconds_with(caller, CALLER_HZ) >= 2.5
    return log


@pytest.mark.parametrize(
    ("policy", "mediaenc", "encrypted"),
    [
        ("optional", "srtp", True),
        ("optional", "", False),
    ],
)
def test_a_phone_calls(tmp_path: Path, namespace: Namespace, policy: str, mediaenc: str, encrypted: bool) -> None:
    settings = {"sip": {"srtp": policy, "srtp_in_clear": True}}
    with (
        Server(tmp_path, namespace=namespace, settings=settings) as server,
        phone(tmp_path, namespace, mediaenc) as caller,
    ):
        assert suites(talks(caller, server)) == ([BARESIP_FIRST] if encrypted else [""])


def test_a_phone_calls_by_tls(tmp_path: Path, namespace: Namespace) -> None:
    """As it is without any setting: keys travel under TLS, and only there."""
    authority, port, tls_port = Authority(tmp_path / "authority"), free_port(), free_port()
    certificate, key = authority.issue("server", namespace.address, "sip.test")
    tls = {"transport": "tls", "ip": namespace.address, "port": tls_port, "certificate": certificate, "key": key}
    settings = {"sip": {"listeners": [{"transport": "udp", "ip": namespace.address, "port": port}, tls]}}
    with (
        Server(tmp_path, namespace=namespace, settings=settings, port=port) as server,
        phone(tmp_path, namespace, "srtp-mand", more=f"sip_cafile {authority.ca}") as caller,
    ):
        caller.do(dial(f"sip:demo@{namespace.address}:{tls_port};transport=tls"))
        server.wait_recorded(both_talk)
        caller.do(hang_up())
        log = server.call()
    assert suites(log) == [BARESIP_FIRST]
    assert speech_seconds(caller.heard()) >= 1.5


@pytest.mark.parametrize(("policy", "mediaenc"), [("off", "srtp-mand"), ("required", "")])
def test_no_call_where_one_insists_and_the_other_does_not(
    tmp_path: Path, namespace: Namespace, policy: str, mediaenc: str
) -> None:
    settings = {"sip": {"srtp": policy, "srtp_in_clear": True}}
    with (
        Server(tmp_path, namespace=namespace, settings=settings) as server,
        phone(tmp_path, namespace, mediaenc) as caller,
    ):
        events = caller.do([*dial(server.uri)[:1], *hang_up_by_peer()])
        assert server.call().cause == "not_acceptable"
    assert any("488" in event.get("param", "") for event in events)


def test_hold_keeps_the_keys_and_resume_goes_on_with_them(tmp_path: Path, namespace: Namespace) -> None:
    settings = {"sip": {"srtp": "required", "srtp_in_clear": True}}
    with (
        Server(tmp_path, namespace=namespace, settings=settings) as server,
        phone(tmp_path, namespace, "srtp-mand") as caller,
    ):
        caller.do(dial(server.uri))
        server.wait_recorded(lambda caller, _agent: seconds_with(caller, CALLER_HZ) >= 1)
        caller.do([*hold(), *listen(1), *resume()])
        server.wait_recorded(lambda caller, _agent: seconds_with(caller, CALLER_HZ) >= 2.2)
        caller.do(hang_up())
        log = server.call()
        heard, _agent = server.recording(log)
    assert [fact["held"] for fact in log.all("CallWasHeld")] == [True, False]
    assert seconds_with(heard, CALLER_HZ) >= 2
    assert suites(log) == [BARESIP_FIRST]


@pytest.mark.parametrize(("policy", "mediaenc"), [("optional", "srtp"), ("required", "srtp-mand")])
def test_a_phone_is_called(tmp_path: Path, namespace: Namespace, policy: str, mediaenc: str) -> None:
    """A caller is put through to it: both legs are encrypted, each with keys of its own."""
    target = {"name": "desk", "uri": "sip:anna@voice.test", "kind": "bridged"}
    settings: dict[str, Any] = {
        "sip": {"srtp": policy, "srtp_in_clear": True},
        "phones": phones(),
        "transfer": {"targets": [target]},
    }
    server = Server(tmp_path, agent="put_through", namespace=namespace, settings=settings)
    with (
        server,
        phone(tmp_path, namespace, mediaenc, DESK_HZ, account(server)) as desk,
        phone(tmp_path, namespace, mediaenc) as caller,
    ):
        seen(server, "phone registered")
        caller.do(dial(server.uri))
        server.wait_recorded(lambda _caller, sent: seconds_with(sent, DESK_HZ) >= 3)
        caller.do(hang_up())
        log = server.call()
    assert suites(log) == [OURS_FIRST, BARESIP_FIRST]
    assert seconds_with(caller.heard(), DESK_HZ) >= 2
    assert seconds_with(desk.heard(), CALLER_HZ) >= 2
