"""Linphone registers with us, calls with video that it does not get, holds, and is called at its registration."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.baresip_peer import Baresip, dial
from tests.interop.linphone_peer import Linphone, read_as_telephone
from tests.interop.namespace import Namespace
from tests.interop.server import Server
from tests.interop.sound import Samples, seconds_with, speech_seconds, tone
from voicegw.sip.digest import Algorithm, make_ha1

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

DOMAIN, SECRET = "voice.test", "rose garden"
CALLER_HZ, PHONE_HZ = 1000, 1700
STREAMS = r"Media streams established with \S+ for call \d+ \(audio\)"


@dataclass(frozen=True, slots=True)
class House:
    """A server in a network of its own that puts callers of ``desk`` through to Anna's phone."""

    server: Server
    namespace: Namespace

    def phone(self, work: Path, *, answers: bool = False) -> Linphone:
        """Anna's."""
        account = ("anna", DOMAIN, SECRET, self.server.address)
        return Linphone(work, self.namespace, tone(PHONE_HZ, 30), account=account, answers=answers)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    anna = {"name": "anna", "md5": make_ha1(Algorithm.MD5, "anna", DOMAIN, SECRET)}
    anna["sha256"] = make_ha1(Algorithm.SHA_256, "anna", DOMAIN, SECRET)
    settings = {
        "phones": {"domain": DOMAIN, "accounts": [anna], "min_expires_s": 2, "expires_s": 60},
        "transfer": {"targets": [{"name": "desk", "uri": f"sip:anna@{DOMAIN}"}], "connecting": ""},
    }
    routes = [{"name": "desk", "match": {"called": "desk"}, "agent": "put_through"}]
    work = tmp_path_factory.mktemp("house")
    with (
        Namespace() as namespace,
        Server(work, namespace=namespace, routes=routes, settings=settings) as server,
    ):
        yield House(server, namespace)


def both_talk(hz: int, caller_s: float, agent_s: float) -> Callable[[Samples, Samples], bool]:
    """The caller's tone and the agent's speech have lasted so long."""
    return lambda caller, agent: seconds_with(caller, hz) >= caller_s and speech_seconds(agent) >= agent_s


def test_linphone_registers_calls_and_holds_and_its_video_is_refused(house: House, tmp_path: Path) -> None:
    with house.phone(tmp_path) as phone:
        phone.wait_registered()
        phone.do(f"call {house.server.uri}", STREAMS)
        house.server.wait_recorded(both_talk(PHONE_HZ, 2.0, 1.5))
        phone.do("pause", "is now paused")
        time.sleep(1.0)  # and nobody listens
        phone.do("resume", STREAMS)
        house.server.wait_recorded(both_talk(PHONE_HZ, 4.0, 2.5))
        phone.do("terminate", "ended")
        phone.quit()
    log = house.server.called("demo")
    caller, agent = read_as_telephone(Path(log.one("RecordingHasEnded")["path"]))
    assert log.cause == "caller_hangup"
    assert log.one("CallWasAnswered")["codec"] == "opus"
    assert [fact["held"] for fact in log.all("CallWasHeld")] == [True, False]
    ours = [text for text in phone.descriptions() if "o=voicegw " in text]
    theirs = [text for text in phone.descriptions() if "o=anna " in text]
    assert "m=video 0 " not in theirs[0] and "m=video " in theirs[0], "offered"
    assert len(ours) == 3 and all("m=video 0 " in text for text in ours), "refused in its place, each time"
    assert seconds_with(caller, PHONE_HZ) >= 3.5
    assert speech_seconds(phone.heard()) >= 2 and speech_seconds(agent) >= 2


def test_a_caller_is_put_through_to_linphone(house: House, tmp_path: Path) -> None:
    with (
        house.phone(tmp_path, answers=True) as phone,
        Baresip(tmp_path, house.namespace, tone(CALLER_HZ, 30)) as caller,
    ):
        phone.wait_registered()
        caller.do(dial(f"sip:desk@{house.server.address}"))
        phone.wait_for(STREAMS)
        house.server.wait_recorded(lambda _caller, sent: seconds_with(sent, PHONE_HZ) >= 2.5)
        phone.do("terminate", "ended")
        phone.quit()
        log = house.server.called("desk")
        heard = caller.heard()
    assert log.cause == "callee_hangup"
    assert seconds_with(heard, PHONE_HZ) >= 1.5
    assert seconds_with(phone.heard(), CALLER_HZ) >= 1.5
