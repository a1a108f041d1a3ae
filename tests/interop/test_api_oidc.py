"""Logging in with an OpenID Connect provider that we did not write: ``oidc-provider-mock``, made of Authlib.

It checks client, redirect and code, and signs ID tokens. It asks for no PKCE verifier:
``tests/unit/api/test_oidc_pkce.py`` looks at that part with a provider of its own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.interop.api_server import ApiServer
from tests.interop.process import Process
from voicegw.api.config import OidcConfig, RoleRule
from voicegw.testing.ports import free_port

pytestmark = pytest.mark.interop

USERS = (
    {"sub": "1", "email": "ada@example.com", "name": "Ada", "groups": ["voice-admins"]},
    {"sub": "2", "email": "grace@example.com", "name": "Grace", "groups": ["support", "others"]},
    {"sub": "3", "email": "eve@example.com", "name": "Eve", "groups": ["others"]},
)
PATIENCE_S = 30.0
RULES = (RoleRule("voice-admins", "admin"), RoleRule("support", "supervisor", teams=("sales",)))


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The issuer URL of a running provider."""
    port = free_port()
    claims = [part for user in USERS for part in ("--user-claims", json.dumps(user))]
    args = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), *claims]
    issuer = f"http://127.0.0.1:{port}"
    with Process(args, tmp_path_factory.mktemp("oidc") / "provider.log") as process:
        deadline = time.monotonic() + 30
        while not _answers(issuer):
            assert process.running and time.monotonic() < deadline, process.output
            time.sleep(0.05)
        yield issuer


@pytest.fixture(scope="module")
def server(provider: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API that trusts the provider."""
    port = free_port()
    oidc = OidcConfig(provider, "voicegw", "OIDC_SECRET", roles=RULES)
    public_url = f"http://127.0.0.1:{port}"
    with ApiServer(tmp_path_factory.mktemp("api"), port=port, public_url=public_url, oidc=oidc) as server:
        yield server


def _answers(issuer: str) -> bool:
    try:
        return httpx.get(f"{issuer}/.well-known/openid-configuration").is_success
    except httpx.TransportError:
        return False


def _log_in(server: ApiServer, browser: httpx.Client, subject: str) -> httpx.Response:
    """What a browser does; the answer of our callback."""
    there = browser.get(f"{server.url}/v1/oidc/login")
    assert there.status_code == 302, there.text
    query = parse_qs(urlsplit(there.headers["location"]).query)
    assert query["code_challenge_method"] == ["S256"] and len(query["code_challenge"][0]) == 43
    back = browser.post(there.headers["location"], data={"sub": subject})
    assert back.status_code == 302, back.text
    return browser.get(back.headers["location"])


def test_a_person_of_the_right_group_gets_a_session_with_the_role_of_the_rules(server: ApiServer) -> None:
    with httpx.Client(timeout=PATIENCE_S) as browser:
        answer = _log_in(server, browser, "2")
        assert answer.status_code == 302 and answer.headers["location"] == "/v1/session"
        me = browser.get(f"{server.url}/v1/session").json()
    assert (me["name"], me["roles"], me["teams"]) == ("grace@example.com", ["supervisor"], ["sales"])


def test_coming_again_makes_no_second_user(server: ApiServer) -> None:
    for _ in range(2):
        with httpx.Client(timeout=PATIENCE_S) as browser:
            assert _log_in(server, browser, "1").status_code == 302
    users = server.client.get("/v1/users").json()["items"]
    assert [user["by_provider"] for user in users if user["name"] == "ada@example.com"] == [True]


def test_a_person_whom_no_rule_fits_stays_outside(server: ApiServer) -> None:
    with httpx.Client(timeout=PATIENCE_S) as browser:
        answer = _log_in(server, browser, "3")
        assert answer.status_code == 401 and "no role" in answer.json()["detail"]
        assert browser.get(f"{server.url}/v1/session").status_code == 401


def test_an_answer_for_another_browser_is_refused(server: ApiServer) -> None:
    with httpx.Client(timeout=PATIENCE_S) as mine, httpx.Client(timeout=PATIENCE_S) as theirs:
        there = mine.get(f"{server.url}/v1/oidc/login")
        back = mine.post(there.headers["location"], data={"sub": "1"})
        theirs.get(f"{server.url}/v1/oidc/login")
        stolen = theirs.get(back.headers["location"])
        assert stolen.status_code == 401 and "another login" in stolen.json()["detail"]
    with httpx.Client(timeout=PATIENCE_S) as nobody:
        assert nobody.get(back.headers["location"]).status_code == 401


def test_a_code_works_once(server: ApiServer) -> None:
    with httpx.Client(timeout=PATIENCE_S) as browser:
        there = browser.get(f"{server.url}/v1/oidc/login")
        back = browser.post(there.headers["location"], data={"sub": "1"})
        cookies = dict(browser.cookies)
        assert browser.get(back.headers["location"]).status_code == 302
    with httpx.Client(cookies=cookies, timeout=PATIENCE_S) as again:
        assert again.get(back.headers["location"]).status_code == 401


def test_a_disabled_person_does_not_come_in(server: ApiServer) -> None:
    with httpx.Client(timeout=PATIENCE_S) as browser:
        _log_in(server, browser, "1")
        user = next(u for u in server.client.get("/v1/users").json()["items"] if u["name"] == "ada@example.com")
        body = {"name": user["name"], "roles": user["roles"], "disabled": True}
        address = f"/v1/users/{user['id']}"
        server.client.put(address, json=body, headers={"If-Match": "*"}).raise_for_status()
        assert browser.get(f"{server.url}/v1/session").status_code == 401
        assert _log_in(server, browser, "1").status_code == 401
        body["disabled"] = False
        server.client.put(address, json=body, headers={"If-Match": "*"}).raise_for_status()
