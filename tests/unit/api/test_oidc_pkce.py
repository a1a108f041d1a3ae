"""PKCE (RFC 7636) with a provider of our own that does what the mock of the interop tests does not: it checks."""

from __future__ import annotations

import asyncio
import json
import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from voicegw.api.config import OidcConfig, RoleRule
from voicegw.api.oidc import Attempt, Identity, OidcClient, OidcRefused

ISSUER = "https://login.example.com"
CONFIG = OidcConfig(ISSUER, "voicegw", roles=(RoleRule("support", "supervisor"),))
NOW = 1_772_000_000.0


class Provider:
    """A public client's provider (RFC 6749 §2.1): whoever has the verifier of the challenge gets the token."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._challenge = self._nonce = ""
        self.refused = 0

    def log_in(self, url: str) -> str:
        """What the browser is sent to; the code that it comes back with."""
        query = parse_qs(urlsplit(url).query)
        assert query["code_challenge_method"] == ["S256"]
        (self._challenge,), (self._nonce,) = query["code_challenge"], query["nonce"]
        return "the-code"

    def answer(self, request: httpx.Request) -> httpx.Response:
        match request.url.path:
            case "/.well-known/openid-configuration":
                places = ("authorization_endpoint", "token_endpoint", "jwks_uri")
                return httpx.Response(200, json={"issuer": ISSUER, **{one: f"{ISSUER}/{one}" for one in places}})
            case "/jwks_uri":
                public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self._key.public_key()))
                return httpx.Response(200, json={"keys": [{**public, "kid": "k1", "alg": "ES256", "use": "sig"}]})
            case _:
                return self._exchange(parse_qs(request.content.decode()))

    def _exchange(self, form: dict[str, list[str]]) -> httpx.Response:
        (verifier,) = form["code_verifier"]
        assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier), "RFC 7636 §4.1"
        digest = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
        if (form["code"], digest) != (["the-code"], self._challenge):
            self.refused += 1
            return httpx.Response(400, json={"error": "invalid_grant"})
        claims = {
            "iss": ISSUER,
            "aud": "voicegw",
            "sub": "7",
            "email": "grace@example.com",
            "groups": ["support"],
            "iat": 1_700_000_000,
            "exp": 4_000_000_000,
            "nonce": self._nonce,
        }
        return httpx.Response(200, json={"id_token": jwt.encode(claims, self._key, "ES256", {"kid": "k1"})})


def log_in(provider: Provider, spoil: dict[str, str]) -> Identity:
    """The whole login; ``spoil`` replaces what we remembered of it."""

    async def run() -> Identity:
        counted = iter(range(1000))
        async with httpx.AsyncClient(transport=httpx.MockTransport(provider.answer)) as http:
            back = "https://voice.example.com/v1/oidc/callback"
            client = OidcClient(CONFIG, "", back, lambda n: bytes([next(counted) % 251] * n), http, lambda: NOW)
            url, attempt = await client.begin()
            code = provider.log_in(url)
            remembered: Attempt = msgspec.structs.replace(attempt, **spoil)
            return await client.finish(remembered, attempt.state, code)

    return asyncio.run(run())


def test_the_verifier_opens_what_the_challenge_has_closed() -> None:
    provider = Provider()
    assert log_in(provider, {}).name == "grace@example.com"
    assert provider.refused == 0


def test_a_code_is_worth_nothing_without_the_verifier() -> None:
    provider = Provider()
    with pytest.raises(OidcRefused, match="did not take the code"):
        log_in(provider, {"verifier": "another-verifier-that-is-long-enough-for-the-rules-of-it"})
    assert provider.refused == 1


def test_a_token_of_another_login_is_refused() -> None:
    with pytest.raises(OidcRefused, match="another login"):
        log_in(Provider(), {"nonce": "another"})


@pytest.mark.parametrize("issuer", ["https://xn--a", "https://login.example.com:port"])
def test_a_provider_whose_address_is_none_does_not_answer(issuer: str) -> None:
    async def story() -> None:
        async with httpx.AsyncClient() as http:
            client = OidcClient(
                OidcConfig(issuer, "voicegw"), "", "https://here/back", lambda count: bytes(count), http
            )
            with pytest.raises(OidcRefused, match="does not answer"):
                await client.begin()

    asyncio.run(story())
