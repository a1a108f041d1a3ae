"""Log in with OpenID Connect: authorization code flow with PKCE (OpenID Connect Core 1.0 §3.1, RFC 7636, RFC 9700).

A thin client of our own on httpx and PyJWT: three requests, of which the checks of the ID token, the part where
mistakes hurt, are PyJWT's. The full client libraries bring a session layer for each web framework and keep state in
it; ours travels sealed in a short-lived cookie, so that a login may begin at one node and end at another.
"""

from __future__ import annotations

import logging
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from typing import TypeVar
from urllib.parse import urlencode

import httpx
import jwt
import msgspec

from voicegw.api.config import OidcConfig
from voicegw.api.permissions import Reach, Role
from voicegw.base.errors import ProviderError
from voicegw.base.ids import RandomBytes, token
from voicegw.base.personal import Personal

log = logging.getLogger(__name__)

_M = TypeVar("_M", bound=msgspec.Struct)

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""Signatures with the provider's public key only: no ``none``, and no HMAC with a secret that clients know."""
LOGIN_S = 600.0
"""How long a person may take at the provider."""
_TIMEOUT_S = 10.0
_METADATA_S = 3600.0
_KEYS_AGAIN_S = 30.0
"""Tokens with unknown keys make us fetch the keys again no more often than this."""
_LEEWAY_S = 60


class OidcRefused(ProviderError):
    """This login is not believed, or the provider does not do its part. The text is safe to show."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__("oidc", message, retryable=retryable)
        self.reason = message


class Attempt(msgspec.Struct, frozen=True):
    """A login under way; kept sealed in the browser's cookie."""

    state: str
    nonce: str
    verifier: str
    expires_wall: float


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the provider says it is, and what the rules give them."""

    subject: str
    name: str
    display_name: str
    roles: frozenset[Role]
    reach: Reach


class _Metadata(msgspec.Struct, frozen=True):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class _Tokens(msgspec.Struct, frozen=True):
    id_token: str


@dataclass(slots=True)
class _Fetched:
    metadata: _Metadata | None = None
    metadata_at: float = 0.0
    keys: dict[str, jwt.PyJWK] = field(default_factory=dict)
    keys_at: float = -_KEYS_AGAIN_S


class OidcClient:
    """One provider."""

    def __init__(
        self,
        config: OidcConfig,
        client_secret: str,
        redirect_url: str,
        random: RandomBytes,
        http: httpx.AsyncClient,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._secret = client_secret
        self._redirect_url = redirect_url
        self._random = random
        self._http = http
        self._wall = wall
        self._fetched = _Fetched()

    async def begin(self) -> tuple[str, Attempt]:
        """Where to send the browser, and what to remember of it."""
        metadata = await self._metadata()
        attempt = Attempt(
            token(self._random, 32), token(self._random, 32), token(self._random, 64), self._wall() + LOGIN_S
        )
        challenge = urlsafe_b64encode(sha256(attempt.verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": self._config.client_id,
            "redirect_uri": self._redirect_url,
            "scope": " ".join(self._config.scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        separator = "&" if "?" in metadata.authorization_endpoint else "?"
        return f"{metadata.authorization_endpoint}{separator}{urlencode(query)}", attempt

    async def finish(self, attempt: Attempt, state: str, code: str) -> Identity:
        """The person behind the code; raises :class:`OidcRefused`."""
        if not compare_digest(state.encode(), attempt.state.encode()):
            raise OidcRefused("this answer belongs to another login")
        if self._wall() > attempt.expires_wall:
            raise OidcRefused("the login took too long", retryable=True)
        id_token = await self._exchange(code, attempt.verifier)
        claims = await self._claims(id_token, attempt.nonce)
        return identity_of(claims, self._config)

    async def _exchange(self, code: str, verifier: str) -> str:
        metadata = await self._metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_url,
            "client_id": self._config.client_id,
            "code_verifier": verifier,
        }
        if self._secret:
            form["client_secret"] = self._secret
        try:
            answer = await self._http.post(metadata.token_endpoint, data=form, timeout=_TIMEOUT_S)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise OidcRefused("the provider does not answer", retryable=True) from error
        if answer.status_code != httpx.codes.OK:
            log.warning(
                "the provider refused a code",
                extra={"status": answer.status_code, "says": Personal(answer.text[:300])},
            )
            raise OidcRefused("the provider did not take the code")
        return _decoded(answer.content, _Tokens).id_token

    async def _claims(self, id_token: str, nonce: str) -> dict[str, object]:
        """The checks of OpenID Connect Core 1.0 §3.1.3.7."""
        try:
            header = jwt.get_unverified_header(id_token)
            key = await self._key(str(header.get("kid", "")))
            claims: dict[str, object] = jwt.decode(
                id_token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._config.client_id,
                issuer=self._config.issuer,
                leeway=_LEEWAY_S,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise OidcRefused(f"the ID token is not to be believed: {type(error).__name__}") from error
        if not compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise OidcRefused("the ID token belongs to another login")
        if claims.get("azp", self._config.client_id) != self._config.client_id:
            raise OidcRefused("the ID token was made for somebody else")
        return claims

    async def _metadata(self) -> _Metadata:
        fetched, now = self._fetched, self._wall()
        if fetched.metadata is not None and now - fetched.metadata_at < _METADATA_S:
            return fetched.metadata
        url = f"{self._config.issuer.rstrip('/')}/.well-known/openid-configuration"
        metadata = _decoded(await self._get(url), _Metadata)
        if metadata.issuer != self._config.issuer:
            raise OidcRefused(f"the provider calls itself {metadata.issuer}, not {self._config.issuer}")
        fetched.metadata, fetched.metadata_at = metadata, now
        return metadata

    async def _key(self, key_id: str) -> jwt.PyJWK:
        """The key that signed; the provider's keys are read again when they turn (§10.1.1)."""
        fetched = self._fetched
        if key_id not in fetched.keys and self._wall() - fetched.keys_at >= _KEYS_AGAIN_S:
            fetched.keys_at = self._wall()
            keys = jwt.PyJWKSet.from_json((await self._get((await self._metadata()).jwks_uri)).decode()).keys
            fetched.keys = {key.key_id or "": key for key in keys}
        key = fetched.keys.get(key_id)
        if key is None and not key_id and len(fetched.keys) == 1:
            key = next(iter(fetched.keys.values()))
        if key is None:
            raise OidcRefused("the ID token is signed with a key that the provider does not publish")
        return key

    async def _get(self, url: str) -> bytes:
        try:
            answer = await self._http.get(url, timeout=_TIMEOUT_S)
            answer.raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise OidcRefused("the provider does not answer", retryable=True) from error
        return answer.content


def identity_of(claims: dict[str, object], config: OidcConfig) -> Identity:
    """Apply the role rules; raises :class:`OidcRefused` where none fits."""
    given = claims.get(config.role_claim)
    values = given if isinstance(given, list) else [given]
    rules = [rule for rule in config.roles if rule.value in values]
    if not rules:
        raise OidcRefused("you are known to the provider, but no role here is meant for you")
    unlimited = any(not rule.teams and not rule.numbers for rule in rules)
    reach = (
        Reach()
        if unlimited
        else Reach(
            tuple(sorted({number for rule in rules for number in rule.numbers})),
            tuple(sorted({team for rule in rules for team in rule.teams})),
        )
    )
    name = claims.get(config.name_claim)
    return Identity(
        subject=f"{config.issuer}|{claims['sub']}",
        name=str(name or claims["sub"]),
        display_name=str(claims.get("name") or name or claims["sub"]),
        roles=frozenset(Role(rule.role) for rule in rules),
        reach=reach,
    )


def _decoded(body: bytes, kind: type[_M]) -> _M:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError as error:
        raise OidcRefused("the provider's answer cannot be understood") from error
