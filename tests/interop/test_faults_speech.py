"""Speech workers die in mid-call, and a web service is not there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.interop.fault_server import ASR, TTS, FaultServer
from tests.interop.raw_phone import RawPhone
from tests.interop.sound import Samples
from voicegw.audio.resample import resample
from voicegw.audio.wav import parse
from voicegw.config import SHIPPED_DIALPLANS

pytestmark = [pytest.mark.interop, pytest.mark.realtime, pytest.mark.speech]


def spoken(work: Path, text: str) -> Samples:
    """A caller's words, in a voice that is not the agent's."""
    wav = work / "caller.wav"
    subprocess.run(["flite", "-voice", "rms", "-t", text, "-o", str(wav)], check=True)
    audio = parse(wav.read_bytes())
    return resample(audio.mono(), audio.rate, 8000).astype(np.int16)


@pytest.mark.long
def test_a_killed_recogniser_is_admitted_and_the_keypad_offered(tmp_path: Path) -> None:
    with FaultServer(tmp_path) as server, server.phone() as phone:
        assert phone.dial() == 200
        server.wait_said(phone, "Please press four keys.")
        phone.play(spoken(tmp_path, "well now let me see it is one five nine zero"))
        phone.wait_played(left=1.5)
        for pid in server.workers(ASR):
            os.kill(pid, signal.SIGSTOP)  # so that it is not done before it is killed, however late that is
        phone.wait_played(left=0.3)
        killed = server.kill_workers(ASR)
        (failed,) = server.wait_facts(phone, "SpeechHasFailed")
        assert failed["engine"] == "pocketsphinx"
        assert "keypad" in failed["consequence"]
        server.wait_said(phone, "I can't hear you properly at the moment. Please key in")
        phone.press("7531")
        server.wait_said(phone, "You pressed 7 5 3 1.")

        server.wait(lambda: set(server.workers(ASR)) - set(killed) != set(), 60, "another recogniser")
        server.wait_said(phone, "Please press four keys.", count=2)
        _say_until_understood(server, phone, spoken(tmp_path, "one five nine zero"), "1590")
        server.wait_said(phone, "You pressed 1 5 9 0.")
        phone.hang_up()
        assert server.wait_ended(phone).cause == "caller_hangup"
    assert server.counters["asr_failed"] == 1
    assert server.counters["pocketsphinx_worker_died"] == len(killed)


def _say_until_understood(server: FaultServer, phone: RawPhone, words: Samples, value: str) -> None:
    """Say it, and again if it was misheard: that the new worker listens is the point, not how well."""
    for _ in range(3):
        turns = len(server.log_of(phone).all("CallerSpoke"))
        phone.play(words)
        phone.wait_played()
        server.wait_facts(phone, "CallerSpoke", turns + 1, within_s=40)
        if any(filled["value"] == value for filled in server.log_of(phone).all("SlotWasFilled")):
            return
    raise AssertionError(f"never understood: {server.log_of(phone).all('CallerSpoke')}")


def test_a_killed_synthesiser_is_replaced_before_the_next_sentence(tmp_path: Path) -> None:
    with FaultServer(tmp_path) as server, server.phone() as phone:
        assert phone.dial() == 200
        server.wait_said(phone, "Please press four keys.")
        server.kill_workers(TTS)
        phone.press("8642")
        server.wait_said(phone, "You pressed 8 6 4 2.")
        phone.hang_up()
        assert server.wait_ended(phone).cause == "caller_hangup"
    assert server.counters["flite_worker_died"] == 1


def test_an_order_system_that_is_down_is_apologised_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(
            ("127.0.0.1", 0)
        )  # bound and not listening: a connection is refused, and nobody else can have it
        monkeypatch.setenv("VOICEGW_ORDERS_URL", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        server = FaultServer(tmp_path)
        server.use_agent(SHIPPED_DIALPLANS / "agents" / "orders.yaml")
        with server, server.phone() as phone:
            assert phone.dial() == 200
            phone.press("4711")
            (returned,) = server.wait_facts(phone, "WebhookHasReturned")
            assert returned["status"] == 0
            assert "connect" in returned["error"]
            server.wait_said(phone, "our order system does not answer at the moment.")
            server.wait_said(phone, "Would you like to check another order?")
            phone.press("2")
            assert "Goodbye" in server.wait_ended(phone, within_s=30).agent_said
            assert server.log_of(phone).cause == "agent_hangup"
