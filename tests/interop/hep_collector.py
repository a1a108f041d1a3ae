"""A collector of HEP that we did not write: ``openssl s_server`` ends the TLS, Kamailio's sipcapture reads HEP.

Kamailio 5.6 reads HEP from a stream, and then takes it for SIP: so each packet goes to it as a datagram. Summaries
(type 34) it takes for SIP in any case, and does not get.
"""

from __future__ import annotations

import re
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.interop.kamailio_peer import Kamailio
from voicegw.testing.ports import free_port, is_bound

_SIP: Final = (
    "date micro_ts method reply_reason ruri ruri_user ruri_domain from_user from_domain from_tag to_user to_domain "
    "to_tag pid_user contact_user auth_user callid callid_aleg via_1 via_1_branch cseq diversion reason "
    "content_type auth user_agent source_ip source_port destination_ip destination_port contact_ip contact_port "
    "originator_ip originator_port expires correlation_id custom_field1 custom_field2 custom_field3 proto family "
    "rtp_stat type node msg"
)
_REPORT: Final = (
    "date micro_ts correlation_id source_ip source_port destination_ip destination_port proto family type node msg"
)
_TABLES: Final = {"sip_capture": _SIP, "rtcp_capture": _REPORT, "report_capture": _REPORT}
_NUMBERS: Final = frozenset(
    [
        "date",
        "micro_ts",
        "source_port",
        "destination_port",
        "contact_port",
        "originator_port",
        "proto",
        "family",
        "type",
        "expires",
    ]
)
_FIELD: Final = re.compile(r"(?<!\\):")
_SUMMARY: Final = bytes((0, 0, 0, 11, 0, 7, 34))
_HEAD_BYTES: Final = 6
_START_S: Final = 30.0
_POLL_S: Final = 0.02


class _Capture(Kamailio):
    """Whatever comes is HEP to it, so that it cannot be asked whether it is there; what comes early waits."""

    def _is_up(self) -> bool:
        deadline = time.monotonic() + _START_S
        while not is_bound(self.port):
            if not self.process.running or time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True


class HepCollector:
    """Listens by TLS at ``port`` with this certificate and key."""

    def __init__(self, work: Path, certificate: str, key: str) -> None:
        self._tables = work / "tables"
        self._tables.mkdir()
        for name, columns in _TABLES.items():
            heads = (f"{one}({'int' if one in _NUMBERS else 'string'},null)" for one in columns.split())
            (self._tables / name).write_text(" ".join(heads) + "\n")
        self._kamailio = _Capture(work, "capture", tables=str(self._tables))
        self.port = free_port()
        self.packets: list[bytes] = []
        """What came by TLS."""
        self._command = ["openssl", "s_server", "-accept", f"127.0.0.1:{self.port}", "-quiet"]
        self._command += ["-cert", certificate, "-key", key]

    def rows(self, table: str, call_id: str) -> list[dict[str, Any]]:
        """What Kamailio has written down under this correlation id: to be asked after the ``with`` block."""
        columns = _TABLES[table].split()
        lines = (self._tables / table).read_text().splitlines()[1:]
        found = [dict(zip(columns, map(_unescaped, _FIELD.split(line)), strict=False)) for line in lines]
        return [row for row in found if row.get("correlation_id") == call_id and "msg" in row]

    def has_stored(self, message: str, call_id: str) -> bool:
        """Whether this one, such as "BYE" or "200 to BYE", is in the tables, and all that came before it."""
        return f"stored {message} of {call_id}\n" in self._kamailio.process.output

    def _pass_on(self) -> None:
        """Each packet says in its head how long it is."""
        assert self._openssl.stdout is not None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while len(head := self._openssl.stdout.read(_HEAD_BYTES)) == _HEAD_BYTES:
                rest = self._openssl.stdout.read(int.from_bytes(head[4:], "big") - _HEAD_BYTES)
                self.packets.append(head + rest)
                if _SUMMARY not in rest:
                    out.sendto(head + rest, ("127.0.0.1", self._kamailio.port))

    def __enter__(self) -> Self:
        self._kamailio.__enter__()
        # With its input closed it would take that for the end.
        self._openssl = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._pass_on)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._openssl.kill()
        self._openssl.wait()
        self._reader.join()
        for stream in (self._openssl.stdin, self._openssl.stdout):
            if stream is not None:
                stream.close()
        self._kamailio.__exit__(kind, error, trace)


def _unescaped(field: str) -> str:
    return field.replace("\\r", "\r").replace("\\n", "\n").replace("\\:", ":")
