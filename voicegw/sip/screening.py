"""Which requests go no further than the door (RFC 3261 §8.2.1 to §8.2.3), and with which answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.bodies import DTMF, DTMF_RELAY, SDP, content_type, sdp_body
from voicegw.sip.incoming import Incoming
from voicegw.sip.reply import Pairs
from voicegw.sip.siprec import SIPREC
from voicegw.sip.uri import uri_scheme

_CALLS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "NOTIFY", "PRACK", "UPDATE", "REFER", "MESSAGE")
ALLOWED = (*_CALLS, "SUBSCRIBE")
ALLOW = ("Allow", ", ".join(ALLOWED))
ACCEPT = ("Accept", ", ".join((SDP, DTMF_RELAY, DTMF)))
EXTENSIONS = ("100rel", "timer", "replaces", "norefersub")
SUPPORTED = ("Supported", ", ".join(EXTENSIONS))
"""An option tag appears here when it works."""
_SUPPORTED_RECORDING = ("Supported", ", ".join((*EXTENSIONS, SIPREC)))
_KNOWN = frozenset({"REGISTER", "PUBLISH"})
_INFO_TYPES = frozenset({DTMF_RELAY, DTMF, ""})


def supported(recording: bool) -> tuple[str, str]:
    """The Supported header within a call; more of it within a recording session."""
    return _SUPPORTED_RECORDING if recording else SUPPORTED


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status and the headers that it owes."""

    status: int
    headers: Pairs = ()


def screen(
    incoming: Incoming, *, registers: bool = False, records: Callable[[Incoming], bool] = lambda _incoming: False
) -> Refusal | None:
    """Inspect a request in the order of §8.2: method, scheme, hops, extensions, body. None: it may pass.

    ``registers``: there is a registrar. ``records``: whether its sender may have us record others (RFC 7866).
    483 is the duty of whoever passes a call on (§16.3, RFC 7332 §3), and a gateway that bridges calls does.
    """
    method = incoming.method
    if method not in ALLOWED and not (registers and method == "REGISTER"):
        return Refusal(405 if method in _KNOWN else 501, (ALLOW,))
    return _screen_target(incoming) or _screen_extensions(incoming, records) or _screen_body(incoming)


def _screen_target(incoming: Incoming) -> Refusal | None:
    scheme = uri_scheme(incoming.request.uri)
    if scheme not in ("sip", "tel") and not (scheme == "sips" and incoming.source.transport.is_secure):
        return Refusal(
            416
        )  # sips has come a way that was not TLS: whoever sent it broke its promise (RFC 5630 §5.1)
    if not incoming.to_tag and _is_zero(incoming.request.headers.get("Max-Forwards")):
        return Refusal(483)
    return None


def _is_zero(value: str | None) -> bool:
    return value is not None and value.strip().strip("0") == "" and value.strip() != ""


def _screen_extensions(incoming: Incoming, records: Callable[[Incoming], bool]) -> Refusal | None:
    if incoming.method in ("ACK", "CANCEL"):
        return None  # §8.2.2.3: Require means nothing in these
    required = incoming.request.headers.values("Require")
    unknown = [tag for tag in required if tag.lower() not in EXTENSIONS]
    if any(tag.lower() == SIPREC for tag in unknown) and records(incoming):
        unknown = [tag for tag in unknown if tag.lower() != SIPREC]
    return Refusal(420, (("Unsupported", ", ".join(unknown)),)) if unknown else None


def _screen_body(incoming: Incoming) -> Refusal | None:
    if incoming.method == "INFO":
        known = content_type(incoming.request.headers) in _INFO_TYPES
        return None if known or not incoming.request.body else Refusal(415, (ACCEPT,))
    if incoming.method in ("INVITE", "PRACK", "UPDATE"):
        try:
            sdp_body(incoming.request)
        except RemoteProtocolError as error:
            status = error.status_hint
            return Refusal(status, (ACCEPT, ("Accept-Encoding", "identity")) if status == 415 else ())
        return None if _accepts_sdp(incoming) else Refusal(406, (ACCEPT,))
    return None


def _accepts_sdp(incoming: Incoming) -> bool:
    """Whether Accept, if there is one, lets our answer in (§20.1, RFC 4475 §3.3.11)."""
    ranges = {value.partition(";")[0].strip().lower() for value in incoming.request.headers.values("Accept")}
    return not ranges or not ranges.isdisjoint((SDP, "application/*", "*/*"))
