"""Run by the interpreter that has pyVoIP, never imported: one call, and what was heard, as JSON.

    python pyvoip_driver.py call   SERVER_IP SERVER_PORT MY_IP MY_PORT RTP_PORT SECONDS SPEECH HEARD [NUMBER]
    python pyvoip_driver.py answer SERVER_IP SERVER_PORT MY_IP MY_PORT RTP_PORT SECONDS SPEECH HEARD

SPEECH and HEARD are files of unsigned 8-bit linear samples at 8 kHz, which is what pyVoIP reads and writes.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import threading
import time
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from pyVoIP.VoIP import CallState, VoIPCall, VoIPPhone

_ANSWER_S = 30.0
_RECEIVER_S = 1.2
"""pyVoIP begins to receive one second after start(); an earlier call would see its answer late and twice."""


class PatientSocket:
    """pyVoIP's socket without two of its faults.

    The receiving thread makes the socket non-blocking and gives the lock back before it undoes that, so that the
    blocking read in ``call()`` fails now and then: reads in the main thread wait here. And every response goes to
    the configured server, whoever sent the request: here it goes to where the last message came from (RFC 3581).
    """

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self._peer: tuple[str, int] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def recv(self, size: int) -> bytes:
        if threading.current_thread() is threading.main_thread():
            select.select([self._inner], [], [], _ANSWER_S)
        data, self._peer = self._inner.recvfrom(size)
        return data

    def sendto(self, data: bytes, address: tuple[str, int]) -> int:
        return self._inner.sendto(data, self._peer or address)


def end_with(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Report what went wrong and end at once, as pyVoIP's threads would keep the process alive."""
    traceback.print_exception(kind, error, trace)
    os._exit(2)


def start_phone(args: list[str], on_call: object) -> VoIPPhone:
    """A phone that registers nowhere."""
    server, server_port, my_ip, my_port, rtp_port = args[0], int(args[1]), args[2], int(args[3]), int(args[4])
    phone = VoIPPhone(
        server,
        server_port,
        "pyvoip",
        "",
        myIP=my_ip,
        callCallback=on_call,
        sipPort=my_port,
        rtpPortLow=rtp_port,
        rtpPortHigh=rtp_port,
    )
    # start() insists on a registrar and there is none: the one method that would talk to it is left out.
    phone.sip.register = lambda: True
    phone.start()
    phone.sip.s = phone.sip.out = PatientSocket(phone.sip.s)
    return phone


def wait_for(call: VoIPCall, state: CallState, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while call.state != state and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(call.state == state)


def talk(call: VoIPCall, seconds: float, speech: Path, heard: Path) -> dict[str, object]:
    """Speak and listen for a while, hang up if the other side did not, and keep what was heard."""
    call.write_audio(speech.read_bytes())
    ended_by_peer = wait_for(call, CallState.ENDED, seconds)
    # Never a blocking read, which can hang: everything that came lies in pyVoIP's buffer by timestamp.
    heard.write_bytes(call.read_audio(int(seconds * 8000), blocking=False))
    if not ended_by_peer:
        call.hangup()
    return {"answered": True, "ended_by_peer": ended_by_peer}


def place(args: list[str], seconds: float, speech: Path, heard: Path, number: str) -> dict[str, object]:
    phone = start_phone(args, None)
    time.sleep(_RECEIVER_S)
    call = phone.call(number)
    if not wait_for(call, CallState.ANSWERED, _ANSWER_S):
        return {"answered": False}
    result = talk(call, seconds, speech, heard)
    time.sleep(1)  # the 200 to our BYE
    phone.stop()
    return result


def answer(args: list[str], seconds: float, speech: Path, heard: Path) -> dict[str, object]:
    result: dict[str, object] = {"answered": False}
    done = threading.Event()

    def on_call(call: VoIPCall) -> None:
        call.answer()
        result.update(talk(call, seconds, speech, heard))
        done.set()

    phone = start_phone(args, on_call)
    print("ready", flush=True)
    done.wait(_ANSWER_S + seconds)
    time.sleep(1)
    phone.stop()
    return result


def main() -> int:
    mode, args, rest = sys.argv[1], sys.argv[2:7], sys.argv[7:]
    seconds, speech, heard = float(rest[0]), Path(rest[1]), Path(rest[2])
    if mode == "call":
        result = place(args, seconds, speech, heard, rest[3] if len(rest) > 3 else "demo")
    else:
        result = answer(args, seconds, speech, heard)
    print(json.dumps(result), flush=True)
    return 0 if result["answered"] else 1


if __name__ == "__main__":
    sys.excepthook = end_with
    sys.exit(main())
