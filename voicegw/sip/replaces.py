"""Dialogs that name other dialogs: Replaces (RFC 3891), Join (RFC 3911), and the Refer-To that carries one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from voicegw.base.errors import RemoteProtocolError
from voicegw.sip.dialog import Dialog, DialogId
from voicegw.sip.grammar import is_fit, parse_params, unescape
from voicegw.sip.headers import NameAddr
from voicegw.sip.incoming import Incoming
from voicegw.sip.screening import Refusal
from voicegw.sip.sip_call import SipCall, SipCallState
from voicegw.sip.uri import SipUri

_NOT_IN_URI_HEADERS = re.compile(r"[^A-Za-z0-9\-_.!~*'()\[\]/?:+$]")


@dataclass(frozen=True, slots=True)
class Replaces:
    """The dialog that a new one takes the place of, by the tags as its recipient sees them (RFC 3891 §6.1)."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, value: str) -> Replaces:
        """Parse the header; RemoteProtocolError unless it names a Call-ID and both tags."""
        call_id, semicolon, rest = value.partition(";")
        params = parse_params(semicolon + rest)
        to_tag, from_tag = params.get("to-tag"), params.get("from-tag")
        if not call_id.strip() or not to_tag or not from_tag:
            raise RemoteProtocolError(f"names no dialog: {value[:60]!r}")
        return cls(call_id.strip(), to_tag, from_tag, "early-only" in params)

    @classmethod
    def of(cls, dialog: Dialog) -> Replaces:
        """What the far end of a dialog of ours has to be told: our remote tag is its own."""
        return cls(dialog.id.call_id, dialog.id.remote_tag, dialog.id.local_tag)

    @property
    def dialog_id(self) -> DialogId:
        """The dialog as it is known to whom this was sent."""
        return DialogId(self.call_id, self.to_tag, self.from_tag)

    def __str__(self) -> str:
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"


@dataclass(frozen=True, slots=True)
class ReferTarget:
    """A Refer-To read (RFC 3515 §2.1): whom to call, and which dialog of theirs to replace.

    ``headers`` are for the INVITE to it (RFC 3261 §19.1.1): they are written, and those of others are not read.
    """

    uri: str
    replaces: Replaces | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, value: str) -> ReferTarget:
        """Parse the header; RemoteProtocolError for anything but a SIP URI that an INVITE can go to.

        Of the headers in the URI only Replaces is taken: others would let a peer write headers of ours.
        """
        uri = SipUri.parse(NameAddr.parse(value).uri)
        if (uri.params.get("method") or "INVITE").upper() != "INVITE":
            raise RemoteProtocolError("REFER for another method than INVITE", 501)
        found = [unescape(text) for name, text in uri.headers if unescape(name).lower() == "replaces"]
        if len(found) > 1 or any(not is_fit(text) for text in found):
            raise RemoteProtocolError("a Refer-To with two dialogs")
        plain = replace(uri, headers=(), params=uri.params.without("method"))
        return cls(str(plain), Replaces.parse(found[0]) if found else None)

    def __str__(self) -> str:
        replaced = (("Replaces", str(self.replaces)),) if self.replaces is not None else ()
        written = "&".join(f"{_escaped(name)}={_escaped(value)}" for name, value in (*replaced, *self.headers))
        return f"<{self.uri}?{written}>" if written else f"<{self.uri}>"


def find_replaced(calls: Mapping[DialogId, SipCall], incoming: Incoming) -> SipCall | Refusal | None:
    """The call that an INVITE outside a dialog replaces (RFC 3891 §3), the answer that refuses it, or None.

    Dialogs that we have not answered yet are not ours to give away (481). Join is never granted: supervisors take
    part by the mixer, not by SIP (RFC 3911 §4).
    """
    headers = incoming.request.headers
    lines, joins = headers.get_all("Replaces"), headers.get_all("Join")
    if not lines and not joins:
        return None
    if len(lines) + len(joins) > 1:
        return Refusal(400)
    try:
        named = Replaces.parse((lines or joins)[0])
    except RemoteProtocolError as error:
        return Refusal(error.status_hint)
    call = calls.get(named.dialog_id)
    if call is None or call.state in (SipCallState.INVITED, SipCallState.CALLING):
        return Refusal(481)
    if call.state in (SipCallState.ENDED, SipCallState.ENDING):
        return Refusal(603)
    if joins:
        return Refusal(488)
    return Refusal(486) if named.early_only else call


def _escaped(text: str) -> str:
    """As the value of a header in a URI (RFC 3261 §19.1.1)."""
    return _NOT_IN_URI_HEADERS.sub(lambda match: f"%{ord(match.group()):02X}", text)
