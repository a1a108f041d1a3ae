"""Settings of an API that runs: who asks next is answered by the new ones."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI, Request

from tests.certificates import Authority
from tests.unit.api.rig import FakeInstaller, Rig
from voicegw.api.as_set import AsSet, behind_proxies, foreign_pages
from voicegw.api.browser_audio import BrowserAudio
from voicegw.api.browser_config import BrowserAudioConfig, IceServer
from voicegw.api.config import ApiConfig, OidcConfig
from voicegw.api.service import ApiService, Wiring, put_in_force
from voicegw.base.clock import SystemClock
from voicegw.base.errors import ConfigError
from voicegw.runtime.browser_legs import BrowserLegs
from voicegw.storage.config import StoreConfig

PAGE = "https://console.example"
PROVIDER = OidcConfig("https://login.invalid", "voicegw", "OIDC_SECRET")
TURN = BrowserAudioConfig((IceServer("turn:turn.example:3478", "us", "TURN_SECRET"),), max_connections=3)
ENVIRONMENT = {"OIDC_SECRET": "known to both", "TURN_SECRET": "relay"}


def small_app(config: ApiConfig) -> FastAPI:
    """One that says who asks, with the layers of the real one."""
    app = FastAPI()
    app.state.parts = SimpleNamespace(config=config)
    app.add_middleware(AsSet, named=lambda config: config.cors_origins, make=foreign_pages)
    app.add_middleware(AsSet, named=lambda config: config.trusted_proxies, make=behind_proxies)

    @app.get("/who")
    async def who(request: Request) -> str:
        assert request.client is not None
        return f"{request.url.scheme} {request.client.host}"

    return app


def test_foreign_pages_and_proxies_are_those_of_the_settings_at_the_moment() -> None:
    async def story() -> None:
        app = small_app(ApiConfig())
        transport = httpx.ASGITransport(app, client=("10.0.0.1", 4000))
        headers = {"Origin": PAGE, "X-Forwarded-For": "192.0.2.9", "X-Forwarded-Proto": "https"}
        async with httpx.AsyncClient(transport=transport, base_url="http://here", headers=headers) as client:

            async def asked(config: ApiConfig) -> tuple[str, bool]:
                app.state.parts = SimpleNamespace(config=config)
                answer = await client.get("/who")
                return answer.json(), answer.headers.get("access-control-allow-origin") == PAGE

            believed = ApiConfig(trusted_proxies=("10.0.0.1",))
            assert await asked(ApiConfig()) == ("http 10.0.0.1", False)
            assert await asked(ApiConfig(cors_origins=(PAGE,))) == ("http 10.0.0.1", True)
            assert await asked(believed) == ("https 192.0.2.9", False)
            assert await asked(replace(believed, cors_origins=(PAGE, "https://x"))) == ("https 192.0.2.9", True)
            assert await asked(ApiConfig(trusted_proxies=("10.0.0.2",))) == ("http 10.0.0.1", False)

    asyncio.run(story())


def test_a_real_application_asks_its_settings(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    try:
        rig.user("anna", "admin")

        def allowed() -> bool:
            answer = rig.get("/v1/session", "anna", headers={"Origin": PAGE})
            assert answer.status_code == 200
            return answer.headers.get("access-control-allow-origin") == PAGE

        assert not allowed()
        put_in_force(rig.app, ApiConfig(cors_origins=(PAGE,), public_url="https://voice.example", event_ring=3))
        assert allowed()
        made = rig.post("/v1/users", "anna", json={"name": "bert", "roles": ["auditor"]})
        assert made.json()["link"].startswith("https://voice.example/invitation#")
        assert rig.parts.hub._ring.size == 3
        put_in_force(rig.app, ApiConfig())
        assert not allowed()
    finally:
        rig.close()


def test_browsers_that_connect_from_then_on_get_the_new_servers(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path, ApiConfig(), browsers=BrowserLegs()) as (service, client):
            service.use(replace(service._config, browser_audio=TURN))
            await client.get("/healthz")  # in the loop after the change
            browsers = service._app.state.parts.browsers  # type: ignore[union-attr]
            assert isinstance(browsers, BrowserAudio)
            assert [one.credential for one in browsers.servers] == ["relay"] and browsers._config == TURN

    asyncio.run(story())


@asynccontextmanager
async def running(
    folder: Path, config: ApiConfig, browsers: BrowserLegs | None = None, verify: ssl.SSLContext | bool = True
) -> AsyncIterator[tuple[ApiService, httpx.AsyncClient]]:
    """The API in its thread, on any port of loopback."""
    placed = replace(config, key_file=str(folder / "secrets.key"), listen_port=0)
    store = StoreConfig(url=f"sqlite:///{folder / 'store.sqlite'}")
    wiring = Wiring(FakeInstaller(), browsers=browsers)
    service = ApiService(placed, store, wiring, SystemClock(), environment=ENVIRONMENT)
    await service.start()
    scheme = "https" if config.tls_cert else "http"
    try:
        url = f"{scheme}://127.0.0.1:{service.port}"
        async with httpx.AsyncClient(base_url=url, verify=verify, timeout=20) as client:
            yield service, client
    finally:
        await service.close()


def test_logins_by_a_provider_begin_and_end_with_their_setting(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path, ApiConfig()) as (service, client):
            plain = service._config

            async def login() -> int:
                return (await client.get("/v1/oidc/login")).status_code

            assert await login() == 404
            service.use(replace(plain, oidc=PROVIDER))
            assert await login() == 401, "there is one, which nobody reaches"
            service.use(plain)
            assert await login() == 404

    asyncio.run(story())


def test_the_live_stream_keeps_as_much_as_it_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(tmp_path, ApiConfig()) as (service, client):
            service.use(replace(service._config, event_ring=7, watcher_backlog=5))
            await client.get("/healthz")
            assert service.hub._ring.size == 7 and service.hub._backlog == 5

    asyncio.run(story())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda config: replace(config, oidc=replace(PROVIDER, client_secret_env="NOT_SET")), "NOT_SET"),
        (lambda config: replace(config, tls_cert="/nowhere.pem", tls_key="/nowhere.key"), "nowhere.pem"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_changes(
    tmp_path: Path, change: Callable[[ApiConfig], ApiConfig], why: str
) -> None:
    config = ApiConfig(key_file=str(tmp_path / "secrets.key"))
    store = StoreConfig(url=f"sqlite:///{tmp_path / 'store.sqlite'}")
    service = ApiService(config, store, Wiring(FakeInstaller()), SystemClock(), environment=ENVIRONMENT)
    service.check(replace(config, oidc=PROVIDER, browser_audio=TURN))
    with pytest.raises(ConfigError, match=why):
        service.check(change(config))


def shown(port: int, ca: str) -> str:
    """The name in the certificate of who listens there."""
    context = ssl.create_default_context(cafile=ca)
    with (
        socket.create_connection(("127.0.0.1", port), 20) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
    ):
        certificate = tls.getpeercert()
        assert certificate is not None
        return str(dict(pair[0] for pair in certificate["subject"])["commonName"])  # type: ignore[misc,index]


def renew(old: tuple[str, str], new: tuple[str, str]) -> None:
    """What a client of ACME does with its files."""
    for before, after in zip(old, new, strict=True):
        Path(after).replace(before)


def lose(file: str) -> None:
    Path(file).unlink()


def test_a_renewed_certificate_and_another_file_are_shown_from_the_next_handshake_on(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    first, second = (authority.issue(name, "127.0.0.1") for name in ("first", "second"))

    async def story() -> None:
        config = ApiConfig(tls_cert=first[0], tls_key=first[1])
        async with running(tmp_path, config, verify=False) as (service, _):
            assert await asyncio.to_thread(shown, service.port, authority.ca) == "first"
            service.use(replace(service._config, tls_cert=second[0], tls_key=second[1]))
            service.reload_certificate()
            assert await asyncio.to_thread(shown, service.port, authority.ca) == "second"
            renewed = authority.issue("renewed", "127.0.0.1")
            renew(second, renewed)
            service.reload_certificate()
            assert await asyncio.to_thread(shown, service.port, authority.ca) == "renewed"
            lose(second[0])
            service.reload_certificate()
            assert await asyncio.to_thread(shown, service.port, authority.ca) == "renewed"

    asyncio.run(story())
