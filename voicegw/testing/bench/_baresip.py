"""baresip as a caller of a bench: speaks a WAV file to its end, and keeps what came out of its decoder.

It has no sound card. Its control port takes commands and tells events, JSON in netstrings (module ctrl_tcp).
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from voicegw.audio import wav
from voicegw.audio.resample import resample
from voicegw.base.errors import LocalError
from voicegw.testing.ports import free_ports

Pcm = NDArray[np.int16]

_PLACES: Final = (Path("/usr/lib/baresip/modules"), Path("/usr/lib/x86_64-linux-gnu/baresip/modules"))
_PORTS: Final = 16
"""Of each phone: SIP with TLS behind it, control, and then those of its audio."""
_RTP_OFFSET: Final = 4
_CONNECT_S: Final = 20.0
_POLL_S: Final = 0.05
_ANSWER_S: Final = 10.0
_CONFIG: Final = """\
poll_method epoll
sip_listen {host}:{port}
call_local_timeout 20
call_max_calls 1
audio_source aufile,{speech}
audio_player aubridge,sink
audio_alert aubridge,alert
ausrc_srate {rate}
auplay_srate {rate}
ausrc_channels 1
auplay_channels 1
ausrc_format s16
auplay_format s16
rtp_ports {rtp}-{rtp_last}
rtcp_mux no
jitter_buffer_delay 5-10
module_path {modules}
{loaded}
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {host}:{control}
snd_path {heard}
statmode_default off
{settings}
"""


@dataclass(frozen=True, slots=True)
class PhoneCodec:
    """A codec as baresip knows it. ``rate_hz``: of its audio there, ``call_hz``: of the call and its recording.

    ``conceals``: module ``plc`` stands behind its decoder; Opus does that itself. ``settings``: more lines.
    """

    name: str
    module: str
    account: str
    rate_hz: int
    call_hz: int
    conceals: bool = True
    settings: str = ""


_FEC: Final = "opus_bitrate 24000\nopus_application voip\nopus_inbandfec {fec}\nopus_packet_loss {loss}"
CODECS: Final = {
    "PCMU": PhoneCodec("PCMU", "g711", "PCMU/8000/1", 8000, 8000),
    "G722": PhoneCodec("G722", "g722", "G722/16000/1", 16000, 16000),
    "opus": PhoneCodec(
        "opus", "opus", "opus/48000/2", 48000, 16000, conceals=False, settings=_FEC.format(fec="yes", loss=10)
    ),
    "opus-nofec": PhoneCodec(
        "opus-nofec", "opus", "opus/48000/2", 48000, 16000, conceals=False, settings=_FEC.format(fec="no", loss=0)
    ),
}


class Baresip:
    """One phone at ``host``, begun at once. Leaving the ``with`` block ends it."""

    def __init__(self, home: Path, host: str, user: str, codec: PhoneCodec, speech: Pcm) -> None:
        """``user`` is who calls. ``speech`` has the rate of the codec and lasts longer than the call: behind its
        end nothing is sent."""
        home.mkdir(parents=True)
        self._heard = home / "heard"
        self._heard.mkdir()
        self._log = home / "baresip.log"
        port = free_ports(_PORTS, host)
        self._address = (host, port + 2)
        self._pending = b""
        self._socket: socket.socket | None = None
        self._codec = codec
        self.rtp_ports = range(port + _RTP_OFFSET, port + _PORTS)
        """One of them is the source of its audio."""
        _write_config(home, host, port, codec)
        (home / "speech.wav").write_bytes(wav.make(codec.rate_hz, speech))
        (home / "accounts").write_text(f"<sip:{user}@{host}>;regint=0;audio_codecs={codec.account}\n")
        program = shutil.which("baresip")
        if program is None:
            raise LocalError("baresip is missing: apt-get install baresip-core")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, "-f", str(home), "-4"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def dial(self, uri: str) -> None:
        """Call, and wait until the call is answered. Raises LocalError."""
        self._socket = self._connect()
        data = json.dumps({"command": "dial", "params": uri, "token": "bench"}).encode()
        self._socket.sendall(b"%d:%s," % (len(data), data))
        self.wait("CALL_ESTABLISHED", _ANSWER_S)

    def wait(self, kind: str, within_s: float) -> None:
        """Until an event of this type comes. Raises LocalError if it does not, or if the call ends instead."""
        deadline = time.monotonic() + within_s
        while (event := self._next(deadline, kind).get("type")) != kind:
            if event == "CALL_CLOSED":
                raise LocalError(f"baresip's call ended before {kind}: {self.output[-2000:]}")

    @property
    def output(self) -> str:
        """All that it wrote."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def heard(self) -> Pcm:
        """What came out of its decoder, concealment included, at the rate of the call."""
        files = sorted(self._heard.glob("*-dec.wav"))
        if not files:
            raise LocalError(f"baresip recorded nothing: {self.output[-2000:]}")
        audio = [wav.parse(file.read_bytes()) for file in files]
        return resample(np.concatenate([each.mono() for each in audio]), audio[0].rate, self._codec.call_hz)

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + _CONNECT_S
        while True:
            try:
                return socket.create_connection(self._address, timeout=1)
            except OSError as error:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise LocalError(f"baresip does not answer: {self.output[-2000:]}") from error
                time.sleep(_POLL_S)

    def _next(self, deadline: float, awaited: str) -> dict[str, Any]:
        """The next message: an event, or the answer to a command."""
        assert self._socket is not None
        while True:
            length, colon, rest = self._pending.partition(b":")
            if colon and len(rest) > int(length):
                self._pending = rest[int(length) + 1 :]
                message: dict[str, Any] = json.loads(rest[: int(length)])
                return message
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                data = b""
            if not data:
                raise LocalError(f"baresip did not tell of {awaited}: {self.output[-2000:]}")
            self._pending += data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            self._socket.close()
        # Not SIGTERM: after that it waits half a minute for transactions that a failed call left open.
        self._process.kill()
        self._process.wait()


def _write_config(home: Path, host: str, port: int, codec: PhoneCodec) -> None:
    modules = next((path for path in _PLACES if path.is_dir()), None)
    if modules is None:
        raise LocalError("the modules of baresip are missing: apt-get install baresip-core")
    # Filters work in this order: what is kept is what concealment has made.
    loaded = [codec.module, *(["plc"] if codec.conceals else []), "sndfile", "aufile", "aubridge"]
    text = _CONFIG.format(
        host=host,
        port=port,
        control=port + 2,
        speech=home / "speech.wav",
        rate=codec.rate_hz,
        rtp=port + _RTP_OFFSET,
        rtp_last=port + _PORTS - 1,
        modules=modules,
        loaded="\n".join(f"module {name}.so" for name in loaded),
        heard=home / "heard",
        settings=codec.settings,
    )
    (home / "config").write_text(text)
