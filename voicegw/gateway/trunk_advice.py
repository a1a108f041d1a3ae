"""What the answers of a trunk mean, and what to change, in plain words. Pure: answers in, findings out."""

from __future__ import annotations

import ipaddress
import os
import ssl
from dataclasses import dataclass
from enum import Enum
from typing import Final

from voicegw.base.causes import HangupCause
from voicegw.base.errors import RemoteProtocolError
from voicegw.gateway.trunk_config import Trunk
from voicegw.sip.address import Address
from voicegw.sip.auth_headers import parse_auth
from voicegw.sip.headers import Via
from voicegw.sip.message import Response

_PRIVATE: Final = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7")
)
"""RFC 1918, RFC 6598, link-local and RFC 4193: addresses that nobody outside can send to."""
_CERTIFICATE: Final = {
    10: "their certificate has expired: tell the provider",
    18: "it is self-signed: put it into tls.ca of the trunk",
    19: "nobody here knows who signed it: put the certificate of their authority into tls.ca of the trunk",
    20: "nobody here knows who signed it: put the certificate of their authority into tls.ca of the trunk",
}
"""By OpenSSL's number of what is wrong with a certificate (X509_V_ERR_…)."""
_OF_CAUSE: Final = {
    HangupCause.NOT_ALLOWED: "name the number in 'carries' of the trunk, and not in 'refuses'",
    HangupCause.CALLER_ID_REFUSED: "show a number that is yours: caller_id.number, caller_id.allowed",
    HangupCause.NUMBER_UNKNOWN: "check the number and its form: numbering.send, numbering.country_code",
    HangupCause.NUMBER_INCOMPLETE: "check the form of the number: numbering.send, numbering.prefix",
    HangupCause.PEER_INCOMPATIBLE: "ask the provider what it misses; sip.reliable_1xx: required asks least of it",
    HangupCause.NAME_NOT_FOUND: "check 'hosts' of the trunk and the name servers (sip.locating.dns_servers)",
    HangupCause.TRUNK_FULL: "max_calls or max_calls_per_s of the trunk is reached",
    HangupCause.PEER_OVERLOADED: "it takes no calls at present: try again later, or ask the provider",
    HangupCause.PEER_FAILED: "the fault is at their side: tell the provider when this call was made",
    HangupCause.LOOP: "the call came round in a circle: the number may lead back to this server",
}
_THE_WAY_IS_FINE: Final = (HangupCause.PEER_BUSY, HangupCause.NO_ANSWER, HangupCause.PEER_REJECTED)


class Grade(Enum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the test saw, and the fix if it needs one. ``code`` is for programs."""

    grade: Grade
    step: str
    code: str
    text: str
    fix: str = ""


def silence(step: str, server: Address) -> Finding:
    """No answer at all."""
    kind = server.transport.value
    fix = (
        f"let {kind} to {server} and back through the firewall; check 'port' and 'transport' of the trunk; ask the "
        "provider whether it answers to our address at all"
    )
    return Finding(Grade.FAIL, step, "no_answer", f"no answer from {kind} {server}", fix)


def deaf_to_options(server: Address) -> Finding:
    """It answers other requests, but not OPTIONS."""
    fix = "set health.options_s: 0 for this trunk, or it will count as down"
    return Finding(Grade.WARN, "options", "options_ignored", f"{server} leaves OPTIONS unanswered", fix)


def unsent(server: Address, error: Exception | None) -> Finding:
    """Nothing could be sent, or the connection failed with ``error``."""
    cause = error.__cause__ if error is not None else None
    if isinstance(cause, ssl.SSLError):
        return certificate(cause, str(server))
    text = _why(error)
    if "certificate is for" in text:
        fix = "set 'hosts' or 'domain' of the trunk to a name in it, or have the provider renew it"
        return Finding(Grade.FAIL, "tls", "tls_name", text, fix)
    kind = server.transport.value
    fix = f"check 'hosts', 'port' and 'transport' of the trunk; is {kind} to there let through the firewall?"
    return Finding(Grade.FAIL, "connect", "no_connection", f"no connection to {kind} {server}: {text}", fix)


def _why(error: Exception | None) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error) if error is not None else "nothing could be sent there"


def certificate(error: ssl.SSLError, server: str) -> Finding:
    """A TLS handshake that failed."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        fix = "does this port speak TLS 1.2 or newer, and does it want a certificate of ours (tls.certificate)?"
        reason = (error.reason or str(error)).replace("_", " ").lower()
        return Finding(Grade.FAIL, "tls", "tls_handshake", f"no TLS with {server}: {reason}", fix)
    if error.verify_code == _WRONG_NAME:
        fix = "set 'hosts' or 'domain' of the trunk to a name in it, or have the provider renew it"
        return Finding(Grade.FAIL, "tls", "tls_name", f"{server}: {error.verify_message}", fix)
    fix = _CERTIFICATE.get(error.verify_code, "put the certificate of their authority into tls.ca of the trunk")
    text = f"the certificate of {server} is not accepted: {error.verify_message}"
    return Finding(Grade.FAIL, "tls", "tls_certificate", text, fix)


_WRONG_NAME: Final = 62


def answer(trunk: Trunk, step: str, response: Response, source: str) -> Finding:
    """An answer to OPTIONS or REGISTER; ``source``: our address as the trunk sees it."""
    status, said = response.status, f"{response.status} {response.reason}".strip()
    if 200 <= status < 300:
        return Finding(Grade.OK, step, "ok", said)
    if status in (401, 407):
        return credentials(trunk, step, said, realms_of(response))
    if status == 403:
        return Finding(Grade.FAIL, step, "forbidden", said, _forbidden(trunk, source))
    if status == 503:
        fix = "it takes no calls at present: try again later, or ask the provider"
        return Finding(Grade.WARN, step, "unavailable", said, fix)
    if step == "options":
        return Finding(Grade.OK, step, "ok", f"{said}: it answers, and that is all that OPTIONS is for")
    if status == 404:
        fix = f"'{trunk.settings.username}' is no account there: check 'username' and 'domain' of the trunk"
        return Finding(Grade.FAIL, step, "account_unknown", said, fix)
    return Finding(Grade.FAIL, step, "refused", said, "ask the provider what this means for your account")


def credentials(trunk: Trunk, step: str, said: str, realms: tuple[str, ...]) -> Finding:
    """401 or 407 in the end: nothing that we could show was good enough."""
    settings, realm = trunk.settings, realms[0] if realms else ""
    user = settings.auth_username or settings.username
    if not user:
        fix = f"it wants an account in realm '{realm}': set username and password_env of the trunk"
        return Finding(Grade.FAIL, step, "account_missing", said, fix)
    if not trunk.password:
        fix = "there is no password: set password_env of the trunk, or give one to the API"
        return Finding(Grade.FAIL, step, "password_missing", said, fix)
    if settings.realm and realms and settings.realm not in realms:
        fix = f"the trunk asks in realm '{realm}', and ours is only for '{settings.realm}': set realm: {realm}"
        return Finding(Grade.FAIL, step, "wrong_realm", said, fix)
    fix = f"wrong password or user: '{user}' was not accepted in realm '{realm}'"
    return Finding(Grade.FAIL, step, "wrong_password", said, fix)


def realms_of(response: Response) -> tuple[str, ...]:
    """The realms that an answer asks credentials for."""
    headers = response.headers
    lines = headers.get_all("WWW-Authenticate") + headers.get_all("Proxy-Authenticate")
    try:
        return tuple(challenge.get("realm") for line in lines for challenge in parse_auth(line))
    except RemoteProtocolError:
        return ()


def seen_as(response: Response) -> str:
    """Our address as the other side sees it (RFC 3581 §4); "" where it does not say, or sees what we wrote."""
    try:
        return Via.parse(response.headers.get("Via") or "").received or ""
    except RemoteProtocolError:
        return ""


def contact(ours: str, seen: str, server: str) -> Finding:
    """``ours``: the address in our Contact; ``seen``: that the trunk sees us at, "" for the same."""
    if not is_private(ours) or is_private(server):
        return Finding(Grade.OK, "address", "ok", f"they reach us at {ours}")
    text = f"our Contact says {ours}, a private address that {server} cannot send to"
    fix = (
        f"set sip.advertised_ip: {seen or 'your public address'}, and forward the SIP and RTP ports to this machine"
    )
    return Finding(Grade.FAIL, "address", "private_contact", text, fix)


def ended(
    trunk: Trunk, cause: HangupCause, status: int, said: str, realms: tuple[str, ...], source: str
) -> Finding:
    """A test call that was not answered. ``realms``: that asked for credentials; ``source``: our address."""
    parts = (str(status) if status else "", cause.value.text, said and f"({said})")
    text = " ".join(part for part in parts if part)
    if cause is HangupCause.CREDENTIALS_REFUSED:
        return credentials(trunk, "call", text, realms)
    if cause in _THE_WAY_IS_FINE:
        return Finding(Grade.WARN, "call", "not_answered", text, "the way is fine; take a number that answers")
    if cause is HangupCause.PEER_FORBIDS:
        fix = f"{_forbidden(trunk, source)}; or it does not allow this number or our caller id (caller_id.number)"
        return Finding(Grade.FAIL, "call", "forbidden", text, fix)
    if cause is HangupCause.NOT_ACCEPTABLE:
        offered = ", ".join(codec.name for codec in trunk.codecs) or "those of sip.codecs"
        fix = f"no codec in common: we offer {offered}; put one that they take into 'codecs' of the trunk"
        return Finding(Grade.FAIL, "call", "no_codec", text, fix)
    if cause in (HangupCause.UNREACHABLE, HangupCause.CONNECTION_FAILED):
        fix = "if others were answered before, the INVITE may be too large for UDP: try transport: tcp"
        return Finding(Grade.FAIL, "call", "no_answer", text, fix)
    fix = _OF_CAUSE.get(cause, "ask the provider what this means")
    return Finding(Grade.FAIL, "call", cause.value.name, text, fix)


def _forbidden(trunk: Trunk, source: str) -> str:
    if not trunk.settings.username:
        return f"this trunk is known by its address: have the provider allow calls from {source}"
    return f"ask the provider whether the account is locked, or only allowed from other addresses than {source}"


def is_private(host: str) -> bool:
    """Whether an address is one that nobody outside can send to; false for a name."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return any(address in network for network in _PRIVATE)
