"""SIPVicious looks for us, walks through names and guesses a password: it learns nothing and is banned.

Under its own name it gets no answer at all. Under another one it is asked who it is, as everybody is, until it was
asked often enough.
"""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Self

import pytest

from tests.interop import sipvicious_tool
from tests.interop.api_desk import ApiDesk
from tests.interop.fault_server import FaultServer
from voicegw.gateway.guard import BanReason
from voicegw.sip.digest import Algorithm, make_ha1
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

DOMAIN, NAME, PASSWORD = "voice.test", "105", "rose"
TRUSTED = "127.0.0.1"
PHONE = "Yealink SIP-T46U 108.86.0.20"
_PATIENCE_S = 120
_SILENCE = ("no server response", "socket error: timed out")
NAMES = f"{NAME}-107"
"""svwar ends where the first of them is answered as a name was that nobody has: it walks two steps at a time."""
SCANNERS = ("127.0.0.66", "127.0.0.67", "127.0.0.68")
WALKER, GUESSER = "127.0.0.76", "127.0.0.77"


class Scan:
    """One tool at work from an address, under a name or its own. It ends by itself; leaving the ``with`` block ends
    it sooner. Where it is to be heard it begins again if nothing came in the 3 s that it waits for a first answer.
    """

    def __init__(
        self, server: FaultServer, work: Path, tool: str, address: str, options: tuple[str, ...], *, agent: str
    ) -> None:
        target = ["-P", str(free_port()), "-p", str(server.port), *options, server.host]
        self._line = ["/usr/bin/python3", sipvicious_tool.__file__, tool, address, agent, *target]
        self._work = work
        self._is_heard = address in (TRUSTED, GUESSER)
        self._process = self._begin()

    def _begin(self) -> subprocess.Popen[str]:
        environ = {"HOME": str(self._work), "PATH": "/usr/bin"}
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self._line, cwd=self._work, env=environ, stdout=pipe, stderr=subprocess.STDOUT, text=True
        )

    @cached_property
    def said(self) -> str:
        """All it had to say, once it has ended."""
        deadline = time.monotonic() + _PATIENCE_S
        said = self._process.communicate(timeout=_PATIENCE_S)[0]
        while self._is_heard and any(one in said for one in _SILENCE) and time.monotonic() < deadline:
            self._process = self._begin()
            said = self._process.communicate(timeout=_PATIENCE_S)[0]
        return said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def house(work: Path, api_port: int) -> FaultServer:
    """One phone; fewer guesses and names than by default are too much already."""
    account = {"name": NAME, "md5": make_ha1(Algorithm.MD5, NAME, DOMAIN, PASSWORD)}
    guard = {"trusted": [f"{TRUSTED}/32"], "wrong_answers": 4, "unanswered": 6}
    settings = {
        "phones": {"domain": DOMAIN, "accounts": [account], "algorithms": ["MD5"], "failures": 5},
        "sip": {"guard": guard},
        "api": {"enabled": True, "listen_port": api_port, "key_file": "secrets.key"},
    }
    return FaultServer(work, settings=settings)


def test_it_finds_nobody_and_no_password_and_is_banned(tmp_path: Path) -> None:
    words = [f"word{number}" for number in range(20)]
    (tmp_path / "words").write_text("\n".join([*words, PASSWORD]) + "\n")
    (tmp_path / "luck").write_text(f"{PASSWORD}\n")
    walk = ("--force", "--domain", DOMAIN, "-e", NAMES)
    crack = ("-u", NAME, "--domain", DOMAIN, "--maximumtime", "2", "-d")
    api_port = free_port()
    server = house(tmp_path, api_port)
    with ExitStack() as stack:
        stack.enter_context(server)
        desk = stack.enter_context(ApiDesk(server, None, f"http://127.0.0.1:{api_port}"))

        def scan(tool: str, address: str, *options: str, agent: str = "") -> Scan:
            return stack.enter_context(Scan(server, tmp_path, tool, address, options, agent=agent))

        found, lucky = scan("svmap", TRUSTED), scan("svcrack", TRUSTED, *crack, "luck")
        methods = [("-m", method) for method in ("REGISTER", "INVITE")]
        walks = [scan("svwar", TRUSTED, *method, *walk) for method in methods]
        silent = [
            scan("svmap", SCANNERS[0]),
            scan("svwar", SCANNERS[1], *walk),
            scan("svcrack", SCANNERS[2], *crack, "words"),
        ]
        # Each of them asks at least once, also where a slow machine lets it wait in vain.
        walkers = [scan("svwar", WALKER, *method, *walk, agent=PHONE) for method in 4 * methods]
        guesser = scan("svcrack", GUESSER, *crack, "words", agent=PHONE)
        assert server.address in found.said, "whom we trust sees us"
        assert PASSWORD in lucky.said, "and would guess this"
        assert PASSWORD not in scan("svcrack", TRUSTED, *crack, "words").said, "there is no time for more"
        for one in (*walks, *walkers):
            assert "found nothing" in one.said, "the name that exists is answered as the one that does not"
        for one in (*silent, guesser):
            assert server.address not in one.said and PASSWORD not in one.said
        bans = {ban["host"]: ban["reason"] for ban in desk.get("/v1/guard/bans")}
    # svcrack asks for more challenges while it waits for one: on a slow machine those are too many first.
    assert bans.pop(GUESSER) in (BanReason.GUESSING.value, BanReason.UNANSWERED.value)
    scanning = dict.fromkeys(SCANNERS, BanReason.SCANNER.value)
    assert bans == scanning | {WALKER: BanReason.UNANSWERED.value}
    assert server.counters["sip_phones_wrong"] >= 5, "somebody did guess"
    assert server.counters["sip_phones_asked"] > 6, "and somebody walked"
