"""Logging in: what works, what is refused, and what nobody can find out by trying."""

from __future__ import annotations

from base64 import b32decode
from pathlib import Path
from typing import Any

from tests.unit.api.rig import PASSWORD, Rig
from voicegw.api import accounts, totp
from voicegw.api.access import COOKIE
from voicegw.api.throttle import RateLimit


def log_in(rig: Rig, name: str = "ada", password: str = PASSWORD, **more: object) -> Any:
    return rig.post("/v1/session", json={"name": name, "password": password, **more})


def bearer(rig: Rig, **more: object) -> dict[str, str]:
    answer = log_in(rig, **more)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def enrol(rig: Rig, headers: dict[str, str]) -> bytes:
    """Begin to use an authenticator app; returns its secret."""
    ticket = rig.post("/v1/me/totp", headers=headers).json()
    secret = b32decode(ticket["secret"])
    code = totp.code_at(secret, int(rig.clock.wall() // 30))
    done = rig.put("/v1/me/totp", headers=headers, json={"ticket": ticket["ticket"], "code": code})
    assert done.status_code == 204, done.text
    return secret


def test_a_token_of_a_login_works_until_the_log_out(rig: Rig) -> None:
    rig.user("ada", "admin")
    headers = bearer(rig)
    assert rig.get("/v1/session", headers=headers).json()["name"] == "ada"
    assert rig.delete("/v1/session", headers=headers).status_code == 204
    assert rig.get("/v1/session", headers=headers).status_code == 401


def test_a_session_ends_when_it_is_idle_and_at_the_latest_after_its_hours(rig: Rig) -> None:
    rig.user("ada", "admin")
    headers = bearer(rig)
    for _ in range(13):  # in use every 55 minutes
        rig.clock.advance(55 * 60)
        last = rig.get("/v1/session", headers=headers)
    assert last.status_code == 200
    rig.clock.advance(20 * 60)  # over 12 hours by now
    assert rig.get("/v1/session", headers=headers).status_code == 401
    headers = bearer(rig)
    rig.clock.advance(61 * 60)
    assert rig.get("/v1/session", headers=headers).status_code == 401


def test_wrong_password_and_unknown_user_get_the_same_answer(rig: Rig) -> None:
    rig.user("ada", "admin")
    wrong, unknown = log_in(rig, password="not it at all"), log_in(rig, name="nobody")
    assert (wrong.status_code, wrong.content) == (unknown.status_code, unknown.content) == (401, wrong.content)
    assert [row["action"] for row in rig.audit()] == ["login.refuse", "login.refuse"]


def test_wrong_guesses_lock_the_account_ever_longer_whether_it_exists_or_not(rig: Rig) -> None:
    rig.user("ada", "admin")
    for name in ("ada", "nobody"):
        guesses = [log_in(rig, name=name, password="wrong guess").status_code for _ in range(6)]
        assert guesses == [401] * 5 + [429]
        locked = log_in(rig, name=name)
        assert locked.status_code == 429
        assert locked.headers["Retry-After"] == "30"
    rig.clock.advance(31)
    assert log_in(rig, password="wrong again").status_code == 401
    rig.clock.advance(31)
    assert log_in(rig).status_code == 429
    rig.clock.advance(30)
    assert log_in(rig).status_code == 200


def test_a_lock_survives_a_restart(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    rig = Rig(tmp_path / "one")
    rig.user("ada", "admin")
    for _ in range(5):
        log_in(rig, password="wrong guess")
    rig.parts.lock_out.succeeded("ada")  # what the memory forgets
    assert log_in(rig).status_code == 401
    rig.close()


def test_an_address_may_not_try_many_accounts(tmp_path: Path) -> None:
    rig = Rig(tmp_path, logins=RateLimit(burst=3, per_minute=6))
    answers = [log_in(rig, name=f"user{n}") for n in range(5)]
    assert [one.status_code for one in answers] == [401, 401, 401, 429, 429]
    rig.clock.advance(10)
    assert log_in(rig, name="user9").status_code == 401
    rig.close()


def test_a_disabled_user_can_do_nothing(rig: Rig) -> None:
    rig.user("root", "admin")
    rig.user("ada", "designer")
    headers = bearer(rig)
    body = {"name": "ada", "roles": ["designer"], "disabled": True}
    assert rig.put("/v1/users/u_ada", "root", json=body, headers={"If-Match": "*"}).status_code == 200
    assert rig.get("/v1/session", headers=headers).status_code == 401
    assert rig.get("/v1/session", "ada").status_code == 401
    assert log_in(rig).status_code == 401


def test_changes_by_cookie_need_the_csrf_token(rig: Rig) -> None:
    rig.user("ada", "admin")
    answer = log_in(rig, cookie=True)
    assert answer.json()["token"] is None
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie
    assert rig.get("/v1/session").json()["csrf"] == answer.json()["csrf"]
    body = {"name": "k", "scopes": ["metrics"]}
    assert rig.post("/v1/keys", json=body).status_code == 403
    assert rig.post("/v1/keys", json=body, headers={"X-CSRF-Token": "guess"}).status_code == 403
    right = {"X-CSRF-Token": answer.json()["csrf"]}
    assert rig.post("/v1/keys", json=body, headers=right).status_code == 201
    assert rig.delete("/v1/session", headers=right).status_code == 204
    assert COOKIE not in rig.client.cookies


def test_a_code_of_the_app_is_needed_and_good_for_one_login(rig: Rig) -> None:
    rig.user("ada", "admin")
    secret = enrol(rig, bearer(rig))
    without = log_in(rig)
    assert without.status_code == 401 and without.json()["errors"][0]["field"] == "code"
    used = totp.code_at(secret, int(rig.clock.wall() // 30))
    assert log_in(rig, code=used).status_code == 401  # it was used to begin
    rig.clock.advance(30)
    code = totp.code_at(secret, int(rig.clock.wall() // 30))
    assert log_in(rig, code=code).status_code == 200
    assert log_in(rig, code=code).status_code == 401
    rig.clock.advance(30)
    wrong = f"{(int(totp.code_at(secret, int(rig.clock.wall() // 30))) + 1) % 10**6:06}"
    assert log_in(rig, code=wrong).status_code == 401


def test_asking_without_a_code_does_not_win_more_guesses(rig: Rig) -> None:
    rig.user("ada", "admin")
    enrol(rig, bearer(rig))
    statuses = []
    for _ in range(6):
        statuses += [log_in(rig).status_code, log_in(rig, code="000000").status_code]
    assert 429 in statuses[:11]


def test_the_app_is_given_up_with_the_password_only(rig: Rig) -> None:
    rig.user("ada", "admin")
    headers = bearer(rig)
    enrol(rig, headers)
    assert rig.post("/v1/me/totp/removal", headers=headers, json={"password": "guess"}).status_code == 403
    assert rig.post("/v1/me/totp/removal", headers=headers, json={"password": PASSWORD}).status_code == 204
    assert log_in(rig).status_code == 200


def test_a_new_password_ends_all_sessions(rig: Rig) -> None:
    rig.user("ada", "admin")
    first, second = bearer(rig), bearer(rig)
    weak = {"current": PASSWORD, "new": "short"}
    assert rig.post("/v1/me/password", headers=first, json=weak).status_code == 422
    change = {"current": PASSWORD, "new": "a quite different sentence"}
    assert rig.post("/v1/me/password", headers=first, json=change).status_code == 204
    assert rig.get("/v1/session", headers=second).status_code == 401
    assert log_in(rig).status_code == 401
    assert log_in(rig, password=change["new"]).status_code == 200


def test_a_key_cannot_change_its_account(rig: Rig) -> None:
    rig.user("ada", "admin")
    change = {"current": PASSWORD, "new": "a quite different sentence"}
    assert rig.post("/v1/me/password", "ada", json=change).status_code == 403


def test_the_first_start_gives_one_link_that_works_once(rig: Rig) -> None:
    secret = rig.run(accounts.first_link(rig.parts))
    weak = {"token": secret, "name": "root", "password": "aaaaaaaaaaaaaa"}
    assert rig.post("/v1/setup", json=weak).status_code == 422
    body = {"token": secret, "name": "root", "password": PASSWORD}
    assert rig.post("/v1/setup", json={**body, "token": "vgl_guess"}).status_code == 401
    assert rig.post("/v1/setup", json=body).status_code == 201
    assert rig.post("/v1/setup", json={**body, "name": "second"}).status_code == 401
    assert rig.run(accounts.first_link(rig.parts)) is None
    headers = bearer(rig, name="root")
    assert rig.get("/v1/session", headers=headers).json()["roles"] == ["admin"]


def test_of_two_links_the_second_is_worthless_once_there_is_a_user(rig: Rig) -> None:
    first, second = (rig.run(accounts.first_link(rig.parts)) for _ in range(2))
    assert rig.post("/v1/setup", json={"token": first, "name": "a1", "password": PASSWORD}).status_code == 201
    assert rig.post("/v1/setup", json={"token": second, "name": "b1", "password": PASSWORD}).status_code == 409


def test_an_invited_user_chooses_the_password(rig: Rig) -> None:
    rig.user("root", "admin")
    made = rig.post("/v1/users", "root", json={"name": "grace", "roles": ["supervisor"]})
    assert made.status_code == 201
    secret = made.json()["link"].partition("#")[2]
    assert log_in(rig, name="grace", password="").status_code == 422
    body = {"token": secret, "password": PASSWORD}
    assert rig.post("/v1/invitation", json=body).status_code == 204
    assert rig.post("/v1/invitation", json=body).status_code == 401
    assert log_in(rig, name="grace").status_code == 200


def test_an_old_link_does_not_work(rig: Rig) -> None:
    secret = rig.run(accounts.first_link(rig.parts))
    rig.clock.advance(73 * 3600)
    body = {"token": secret, "name": "root", "password": PASSWORD}
    assert rig.post("/v1/setup", json=body).status_code == 401


def test_no_secret_is_stored_as_it_is(rig: Rig) -> None:
    rig.user("ada", "admin")
    headers = bearer(rig)
    totp_secret = enrol(rig, headers)
    rig.put(
        "/v1/trunks/carrier",
        "ada",
        headers={"If-None-Match": "*"},
        json={"settings": {"host": "sip.example.net"}, "password": "trunk-password"},
    )
    rig.post("/v1/webhooks", "ada", json={"name": "w", "url": "https://x.example", "secret": "s" * 20})
    stored = b"".join(path.read_bytes() for path in rig.directory.glob("api.sqlite*"))
    session = headers["Authorization"].removeprefix("Bearer ")
    for secret in (PASSWORD, session, rig.keys["ada"], totp_secret.hex(), "trunk-password", "s" * 20):
        assert secret.encode() not in stored
    shown = rig.get("/v1/trunks/carrier", "ada").text + rig.get("/v1/webhooks", "ada").text
    assert "trunk-password" not in shown and "s" * 20 not in shown


def test_too_many_requests_of_one_key_are_answered_429(tmp_path: Path) -> None:
    rig = Rig(tmp_path, requests=RateLimit(burst=3, per_minute=60))
    rig.user("ada", "admin")
    answers = [rig.get("/v1/session", "ada") for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert answers[-1].headers["content-type"] == "application/problem+json"
    rig.close()
