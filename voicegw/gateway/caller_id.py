"""Which number a call out by a trunk shows, and where it stands (RFC 3261 §20.20, RFC 3323, RFC 3325). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from voicegw.gateway.trunk_config import Trunk
from voicegw.gateway.trunk_numbers import longest_match, shown_to_trunk, to_inside
from voicegw.sip import asserted
from voicegw.sip.grammar import to_wire
from voicegw.sip.headers import NameAddr
from voicegw.sip.uri import escape_user

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class CallerOut:
    """Who a call of ours is from. ``user`` is a number or a name; ``withheld``: they do not want to be shown."""

    user: str = ""
    display_name: str = ""
    withheld: bool = False


def present(trunk: Trunk, caller: CallerOut) -> tuple[str, tuple[tuple[str, str], ...]]:
    """From, and the headers that say the same to the network.

    What is no number of theirs to show is replaced by the trunk's own; who is withheld is anonymous in From, and
    known to the network alone, where a header for that is agreed on.
    """
    settings = trunk.settings
    rules = settings.caller_id
    own = rules.number or settings.username
    is_theirs = _may_show(trunk, caller.user)
    number = shown_to_trunk(settings.numbering, caller.user if is_theirs else own)
    name = _clean(caller.display_name if is_theirs and caller.display_name else rules.name)
    hidden = rules.privacy == "always" or (rules.privacy == "pass_on" and caller.withheld)
    known = NameAddr(f"sip:{escape_user(number) or 'anonymous'}@{trunk.domain}", "" if hidden else to_wire(name))
    return str(_sender(trunk, known, hidden=hidden)), _headers(trunk, known, hidden=hidden)


def _may_show(trunk: Trunk, number: str) -> bool:
    settings = trunk.settings
    forms = (number, to_inside(settings.numbering, number)) if number else ()
    return any(longest_match(settings.caller_id.allowed, form) >= 0 for form in forms)


def _sender(trunk: Trunk, known: NameAddr, *, hidden: bool) -> NameAddr:
    settings = trunk.settings
    if settings.caller_id.from_user == "account" and settings.username:
        account = f"sip:{escape_user(settings.username)}@{trunk.domain}"
        return NameAddr(account, "Anonymous" if hidden else known.display_name)
    if hidden:
        return NameAddr(asserted.ANONYMOUS_URI, "Anonymous")
    return known


def _headers(trunk: Trunk, known: NameAddr, *, hidden: bool) -> tuple[tuple[str, str], ...]:
    headers: list[tuple[str, str]] = []
    match trunk.settings.caller_id.identity:
        case "pai":
            headers.append((asserted.ASSERTED, str(known)))
        case "ppi":
            headers.append((asserted.PREFERRED, str(known)))
        case "rpid":
            headers.append((asserted.REMOTE_PARTY, str(asserted.RemoteParty(known, screened=True, hidden=hidden))))
        case "none":
            pass
    if hidden:
        headers.append((asserted.PRIVACY, "id"))
    return tuple(headers)


def _clean(name: str) -> str:
    """Control characters have no place in a name, and a line end would be another header."""
    return _UNPRINTABLE.sub(" ", name).strip()[:120]
