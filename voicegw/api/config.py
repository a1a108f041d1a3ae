"""How the admin API is reached and who may log in."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from voicegw.api.browser_config import BrowserAudioConfig
from voicegw.api.permissions import Role
from voicegw.base.errors import ConfigError

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class RoleRule:
    """People whose claim has this value get this role, and no more than this reach."""

    value: str
    """A value of the claim, such as the name of a group."""
    role: str
    """admin, designer, supervisor or auditor."""
    teams: tuple[str, ...] = ()
    """Limit to these teams; empty with ``numbers`` empty too: no limit."""
    numbers: tuple[str, ...] = ()
    """Limit to calls with these numbers; a ``*`` at the end stands for the rest."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        if self.role not in set(Role):
            raise ConfigError(f"there is no role '{self.role}'", fix=f"one of: {', '.join(Role)}")


@dataclass(frozen=True, slots=True)
class OidcConfig:
    """Log in with an OpenID Connect provider. Off while ``issuer`` is empty."""

    issuer: str = ""
    """The provider's issuer URL, exactly as it names itself."""
    client_id: str = ""
    """Our name at the provider."""
    client_secret_env: str = ""
    """Environment variable with the client secret; empty for a public client (PKCE is used in any case)."""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    """What is asked for."""
    role_claim: str = "groups"
    """The claim of the ID token, a text or a list of texts, that the rules look at."""
    name_claim: str = "email"
    """The claim that people are called by here."""
    roles: tuple[RoleRule, ...] = ()
    """All rules that fit give their roles; a person whom none fits may not log in."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        if not self.issuer:
            return
        parts = urlsplit(self.issuer)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise ConfigError("the issuer is not reached by https", fix="an issuer that begins with https://")
        if not self.client_id:
            raise ConfigError("client_id is empty", fix="the client id that the provider gave you")
        if "openid" not in self.scopes:
            raise ConfigError("scopes lack 'openid'", fix="add openid: without it there is no ID token")


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """The admin API."""

    enabled: bool = True
    """False: ``voicegw serve`` has no API; no port is opened and no key is made."""
    listen_host: str = "127.0.0.1"
    """Reached from this machine only, until you say otherwise and give it TLS."""
    listen_port: int = 8080
    """TCP port; 0 takes any that is free."""
    tls_cert: str = ""
    """PEM file with the certificate chain; with ``tls_key`` the API speaks TLS itself."""
    tls_key: str = ""
    """PEM file with the private key."""
    behind_tls_proxy: bool = False
    """True: a proxy in front of us speaks TLS; lets the API listen beyond loopback without TLS of its own."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses whose X-Forwarded-For is believed; the audit names the caller by it."""
    public_url: str = ""
    """What browsers and the OIDC provider are told; empty: made of host and port."""
    home: str = "/v1/session"
    """Path that browsers are sent to after a login with the provider."""
    cors_origins: tuple[str, ...] = ()
    """Other origins whose pages may use the API with a bearer token."""
    key_file: str = "var/secrets.key"
    """The key of all stored secrets: 32 bytes, or 64 hexadecimal digits. Made at the first start where it is not
    there. Nodes that share a store need the same one; it may be a secret that is mounted read-only. Back it up
    apart from the database."""
    session_h: float = 12.0
    """A login ends after this many hours at the latest."""
    session_idle_min: float = 60.0
    """... and after this many minutes without a request."""
    requests_per_minute: int = 1200
    """For each user or key; more are answered 429."""
    event_ring: int = 20_000
    """Live events kept in memory for watchers that come back: some minutes of a busy node."""
    watcher_backlog: int = 2_000
    """Events that may wait for one watcher; one that is slower is dropped and told why."""
    oidc: OidcConfig = field(default_factory=OidcConfig)
    """Single sign-on."""
    browser_audio: BrowserAudioConfig = field(default_factory=BrowserAudioConfig)
    """Supervision by browser."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ConfigError("tls_cert and tls_key go together", fix="give both or neither")
        if self.exposed and not self.behind_tls_proxy:
            message = f"the API would listen on {self.listen_host} without TLS: passwords could be read on the way"
            raise ConfigError(message, fix="set tls_cert and tls_key, or behind_tls_proxy, or listen on 127.0.0.1")
        if not 0 <= self.listen_port < 65536:
            raise ConfigError(f"listen_port is {self.listen_port}", fix="0 to 65535")
        if not self.home.startswith("/") or self.home.startswith("//"):
            raise ConfigError(f"home is '{self.home}'", fix="a path of this server, such as /")
        for name in ("session_h", "session_idle_min", "requests_per_minute", "event_ring", "watcher_backlog"):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}", fix="more than 0")

    @property
    def exposed(self) -> bool:
        """Whether others reach what we listen to without TLS: a proxy must be in front."""
        return self.listen_host not in _LOOPBACK and not self.tls_cert

    @property
    def url(self) -> str:
        """Where browsers find us, without a slash at the end."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = f"[{self.listen_host}]" if ":" in self.listen_host else self.listen_host
        return f"{'https' if self.tls_cert else 'http'}://{host}:{self.listen_port}"

    @property
    def secure_cookies(self) -> bool:
        """Whether browsers are told to send the cookie over TLS only."""
        return self.url.startswith("https://")
