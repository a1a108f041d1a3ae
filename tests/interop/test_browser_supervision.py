"""Headless Chromium supervises a call of baresip by the built-in page: each mode by its tones, and its records.

The caller plays one tone. The supervisor's microphone plays another one and some words in turn. The agent is a
language model whose answers are speech, so that all three can be told apart by ear.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.interop.baresip_peer import Baresip, dial, hang_up, press
from tests.interop.chromium import Chromium
from tests.interop.fault_server import FaultServer
from tests.interop.namespace import Namespace
from tests.interop.process import BusyMachine, Process
from tests.interop.server import CallLog
from tests.interop.sound import RATE_HZ, Samples, seconds_with, silence, speech, tone, write_wav

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

CALLER_HZ, BOSS_HZ = 1000, 1700
WHOLE_MS = 5000
"""The supervisor's tone and words come again after 4 s at most."""
CHAT_PORT, API_PORT = 8000, 8080
API = f"http://127.0.0.1:{API_PORT}"
PASSWORD = "correct horse battery staple"
REPLY = "This is the answer of the agent, and it goes on for quite a while so that everybody can hear it."
CLERK = """
kind: llm
name: clerk
models: [local]
greeting: Clerk here.
instructions: You answer.
fallback: echo_keys
limits:
  no_input_ms: 60000
"""
EARS = """
// What a browser does to speech takes a tone for noise.
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = () =>
  open({ audio: { noiseSuppression: false, echoCancellation: false, autoGainControl: false } });
// For what share of a while each frequency was heard: a click is at all of them, but short.
window.hear = async (hz, ms, loud) => {
  const ears = new AudioContext();
  const analyser = ears.createAnalyser();
  analyser.fftSize = 4096;
  ears.createMediaStreamSource(document.getElementById("sound").srcObject).connect(analyser);
  const bins = new Float32Array(analyser.frequencyBinCount);
  const step = ears.sampleRate / analyser.fftSize;
  const found = hz.map(() => 0);
  let looks = 0;
  for (const until = performance.now() + ms; performance.now() < until; ) {
    await new Promise((done) => setTimeout(done, 50));
    analyser.getFloatFrequencyData(bins);
    hz.forEach((one, at) => {
      const around = bins.slice(Math.floor((one - 40) / step), Math.ceil((one + 40) / step));
      found[at] += Math.max(...around) > loud;
    });
    looks += 1;
  }
  await ears.close();
  return found.map((count) => count / looks);
};
"""
HEARD_DB = -60
"""A tone is at -40 dB; what is not there is below -100."""
HEARD_SHARE = 0.2
"""The supervisor's tone fills 0.3 of the time."""


class Desk:
    """The supervisor at the page."""

    def __init__(self, browser: Chromium, gateway: int) -> None:
        self.browser, self.gateway = browser, gateway
        self.busy_ms: list[float] = []
        """What a busy machine took while each mode was taken."""

    def begin(self, setup: str) -> None:
        """The first user is made with the link of the log, and logs in."""
        browser = self.browser
        browser.open(setup, EARS)
        browser.fill("#name", "ada")
        browser.fill("#password", PASSWORD)
        browser.press("button")
        browser.wait("document.querySelector('#answer').textContent.includes('log in now')")
        browser.open(f"{API}/console")
        browser.wait("!document.querySelector('#log-in').hidden")
        browser.fill("[name=name]", "ada")
        browser.fill("[name=password]", PASSWORD)
        browser.press("#log-in button")
        browser.wait("!document.querySelector('#desk').hidden")

    def choose_call(self) -> None:
        self.browser.wait("document.querySelector('#calls button')")
        self.browser.press("#calls button")
        self.browser.wait("!document.querySelector('#call').hidden")

    def take(self, mode: str) -> float:
        """Press the button of a mode and wait until it is in force; how long that took, in ms, without what a busy
        machine made of it."""
        busy = BusyMachine(self.gateway, self.browser.pid)
        took_ms = float(
            self.browser.do(
                f"""new Promise((done, failed) => {{
                  const button = document.querySelector('[data-mode={mode}]');
                  const began = performance.now();
                  button.click();
                  const look = () => {{
                    const trouble = document.querySelector('#news.trouble')?.textContent;
                    if (button.ariaPressed === 'true') done(performance.now() - began);
                    else if (trouble) failed(new Error(trouble));
                    else setTimeout(look, 5);
                  }};
                  look();
                }})"""
            )
        )
        self.busy_ms.append(busy.took_s * 1000)
        return took_ms - self.busy_ms[-1]

    def hears(self, ms: int = 1200) -> set[str]:
        """Whose voice comes out of the page within a while."""
        shares = self.browser.do(f"hear([{CALLER_HZ}, {BOSS_HZ}, 500], {ms}, {HEARD_DB})")
        return {
            name for name, share in zip(("caller", "boss", "agent"), shares, strict=True) if share > HEARD_SHARE
        }

    def wait_hears(self, *voices: str) -> None:
        """Until it is these that come out of the page, all of them and no others; never the supervisor's own."""
        deadline = time.monotonic() + 40
        while (heard := self.hears()) != set(voices):
            assert "boss" not in heard and time.monotonic() < deadline, heard

    def get(self, path: str) -> Any:
        return self.browser.do(f"fetch({json.dumps(path)}).then((answer) => answer.json())")

    def wait_line(self, pattern: str, within_s: float = 40.0) -> None:
        """Until the live transcript has such a line."""
        lines = "[...document.querySelectorAll('#transcript li')]"
        self.browser.wait(f"{lines}.some((line) => /{pattern}/.test(line.textContent))", within_s)


class World:
    """Everything that runs inside the namespace."""

    def __init__(self, work: Path, server: FaultServer, chat: Process, caller: Baresip, browser: Chromium) -> None:
        self.server, self.chat, self.caller = server, chat, caller
        self.desk = Desk(browser, server.process.pid)
        self._work = work

    @property
    def setup_link(self) -> str:
        """Written to the log at the first start."""
        deadline = time.monotonic() + 20
        while not (found := re.search(r"(http://\S+/setup#[\w-]+)", self.server.process.output)):
            assert time.monotonic() < deadline, self.server.process.output
            time.sleep(0.05)
        return found.group(1)

    def told_the_model(self) -> str:
        """All that the last request to the language model said."""
        last = json.loads(self.requests[-1])
        return " ".join(str(message["content"]) for message in last["messages"])

    def wait_asked(self, times: int) -> None:
        deadline = time.monotonic() + 30
        while self.asked < times:
            assert time.monotonic() < deadline, f"{self.chat.output}\n{self.server.process.output}"
            time.sleep(0.05)

    @property
    def asked(self) -> int:
        return len(self.requests)

    @property
    def requests(self) -> list[str]:
        """All that the language model was told."""
        return [line for line in self.chat.output.splitlines() if line.startswith("{")]


@pytest.fixture
def world(tmp_path: Path, namespace: Namespace) -> Iterator[World]:
    with running(tmp_path, namespace) as everything:
        yield everything


@contextmanager
def running(work: Path, namespace: Namespace) -> Iterator[World]:
    settings = {
        "api": {"enabled": True, "listen_port": API_PORT, "key_file": "secrets.key"},
        "llm": {"servers": [{"name": "local", "base_url": f"http://127.0.0.1:{CHAT_PORT}/v1", "model": "any"}]},
    }
    server = FaultServer(work, namespace=namespace, settings=settings)
    clerk = work / "clerk.yaml"
    clerk.write_text(CLERK)
    server.use_agent(clerk)
    server.write_trunk("carrier", hosts=["192.0.2.1"], max_calls=5, health={"options_s": 0})
    words = speech("let us offer a refund", work)
    voice = np.concatenate([tone(BOSS_HZ, 0.9, peak=4000), silence(0.5), words, silence(0.6)])
    talk = [sys.executable, "-m", "tests.interop.chat_process", str(CHAT_PORT), REPLY]
    root = Path(__file__).parents[2]
    with (
        Process(talk, work / "chat.log", namespace=namespace, cwd=root) as chat,
        server,
        Baresip(work, namespace, tone(CALLER_HZ, 120)) as caller,
        Chromium(work, namespace, write_wav(work / "voice.wav", voice)) as browser,
    ):
        yield World(work, server, chat, caller, browser)


@pytest.mark.long
def test_all_modes_by_browser_and_a_browser_that_is_lost(world: World) -> None:
    desk, caller = world.desk, world.caller
    desk.begin(world.setup_link)
    caller.do(dial(world.server.uri))
    desk.choose_call()
    desk.wait_line("Agent: Clerk here")
    desk.browser.wait("/^carrierup, 0 of 5 lines$/.test(document.querySelector('#trunks').textContent)")

    desk.take("listen")
    desk.wait_hears("caller")
    asked = world.asked
    caller.do(press("1#"))
    world.wait_asked(asked + 1)
    desk.wait_hears("caller", "agent")

    assert desk.take("whisper") < 3000
    desk.wait_line("Whisper: [a-z]")
    desk.browser.fill("#note", "Offer a refund of ten euros.")
    desk.browser.press("#whisper button")
    desk.wait_line("ten euros")
    desk.wait_line("Agent: This is the answer")
    desk.wait_hears("caller")

    assert desk.take("barge") < 3000
    assert desk.hears(WHOLE_MS) == {"caller"}

    took_ms = desk.take("takeover")
    asked = world.asked
    caller.do(press("2#"))
    assert desk.hears(WHOLE_MS) == {"caller"}
    assert took_ms < 3000
    assert world.asked == asked, "the agent is silent"

    desk.wait_line("Supervisor: [a-z]")
    desk.browser.press("#hand-back")
    desk.browser.wait("document.querySelector('[data-mode=listen]').ariaPressed === 'true'")
    caller.do(press("3#"))
    world.wait_asked(asked + 1)
    told = world.told_the_model()
    assert "the caller cannot hear it: Offer a refund of ten euros." in told
    assert "A supervisor said to the caller: " in told

    desk.take("takeover")
    audit = desk.get("/v1/audit?limit=100")["items"]
    desk.browser.kill()
    lost_at, busy = time.time(), BusyMachine(world.server.process.pid)
    asked = world.asked
    noticed_at = world.server.wait_logged("browser's leg ended")["ts"]
    assert noticed_at - lost_at - busy.took_s < 6, "without what a busy machine adds"
    caller.do(press("4#"))
    world.wait_asked(asked + 1)
    caller.do(hang_up())
    judge(world.server.call(), world, audit)


def judge(log: CallLog, world: World, audit: list[dict[str, Any]]) -> None:
    """What the caller heard in which mode, and what the records say."""
    changes = log.dated("SupervisorModeHasChanged")
    modes = [fact["mode"] for fact, _ in changes]
    assert modes == ["listen", "whisper", "barge", "takeover", "listen", "takeover"]
    # The fifth is what follows the hand-back; the others were taken.
    taken = [fact["effect_ms"] for place, (fact, _) in enumerate(changes) if place != 4]
    for effect_ms, busy_ms in zip(taken, world.desk.busy_ms, strict=True):
        assert 0 <= effect_ms <= 200 + busy_ms
    left = log.one("SupervisorHasLeft")
    assert (left["had_taken_over"], left["cause"]) == (True, "no_media")
    (answered,) = (moment for _, moment in log.dated("CallWasAnswered"))
    heard = world.caller.heard()
    _said, sent = world.server.recording(log)
    for (fact, began), (_, ended) in itertools.pairwise(changes):
        sent_s = seconds_with(part(sent, began - answered, ended - answered), BOSS_HZ)
        assert (sent_s > 0.3) == (fact["mode"] in ("barge", "takeover")), (fact, sent_s)
    # What the phone kept has no clock: where packets were late or missing, all that follows is earlier in it.
    whole_s = seconds_with(sent, BOSS_HZ)
    assert whole_s / 2 <= seconds_with(heard, BOSS_HZ) <= whole_s + 1, "no less and no more"
    whispered = {fact["to"] for fact in log.all("SupervisorSpoke")}
    assert whispered == {"agent", "caller"}
    deeds = [row["after"]["mode"] for row in audit if row["action"] == "call.supervise"]
    assert sorted(deeds) == sorted(modes)
    assert {"call.connect_browser", "call.whisper", "live.watch"} <= {row["action"] for row in audit}
    assert {row["actor"] for row in audit if row["action"].startswith("call.")} == {"ada"}


def part(sound: Samples, from_ms: float, until_ms: float) -> Samples:
    """Between two moments of the call, without the quarter of a second in which a change is under way."""
    return sound[int((from_ms + 250) / 1000 * RATE_HZ) : int((until_ms - 250) / 1000 * RATE_HZ)]
