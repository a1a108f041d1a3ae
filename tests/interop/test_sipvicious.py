"""SIPVicious looks for us, walks through names and guesses a password: it learns nothing and is banned.

Under its own name it gets no answer at all. Under another one it is asked who it is, as everybody is, until it was
asked often enough.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.api_desk import ApiDesk
from tests.interop.fault_server import FaultServer
from tests.interop.sipvicious_scan import PHONE, Scan
from voicegw.gateway.guard import BanReason
from voicegw.sip.digest import Algorithm, make_ha1
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]

DOMAIN, NAME, PASSWORD = "voice.test", "105", "rose"
TRUSTED = "127.0.0.1"
NAMES = f"{NAME}-107"
"""svwar ends where the first of them is answered as a name was that nobody has: it walks two steps at a time."""
SCANNERS = ("127.0.0.66", "127.0.0.67", "127.0.0.68")
WALKER, GUESSER = "127.0.0.76", "127.0.0.77"


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
            at, heard = (server.host, server.port), address in (TRUSTED, GUESSER)
            return stack.enter_context(Scan(at, tmp_path, tool, address, options, agent=agent, heard=heard))

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
