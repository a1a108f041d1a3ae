"""One Identity header (RFC 8224 §4): a PASSporT, and where the certificate of its signer is.

Each header line has one value. The full form has the whole token, the compact form its signature alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from voicegw.stir.faults import Fault, IdentityFault

MAX_VALUE: Final = 16_384
"""Characters of a header; a full one of SHAKEN has about 700."""
MAX_URL: Final = 1024
_B64 = r"[A-Za-z0-9_-]"
_DIGEST = re.compile(rf"({_B64}*)\.({_B64}*)\.({_B64}+)")
_NAME, _VALUE = r"[A-Za-z0-9!%*_+`'~.-]+", r'<([^<>"\s]*)>|"([^"\\]*)"|([^\s;,"<>]+)'
_PARAM = re.compile(rf"\s*;\s*({_NAME})\s*=\s*(?:{_VALUE})", re.ASCII)


@dataclass(frozen=True, slots=True)
class IdentityHeader:
    """The three parts of the token as they came, in base64url, and the parameters."""

    header: str
    payload: str
    signature: str
    info: str
    """The URL of the certificate."""
    algorithm: str = ""
    extension: str = ""
    """``ppt``: the kind of PASSporT; "" for the plain one."""

    @property
    def is_compact(self) -> bool:
        """Header and payload are left out, for the verifier to make them of the request (RFC 8225 §7)."""
        return not self.header


def parse_identity(value: str) -> IdentityHeader:
    """Read one header value; IdentityFault (438) for what is none, (436) where it does not say who signed."""
    if len(value) > MAX_VALUE:
        raise IdentityFault(Fault.INVALID, f"an Identity of {len(value)} characters")
    text = value.strip()
    found = _DIGEST.match(text)
    if found is None or bool(found[1]) is not bool(found[2]):
        raise IdentityFault(Fault.INVALID, "no PASSporT in base64url")
    params = _params(text[found.end() :])
    if not (info := params.get("info", "")) or len(info) > MAX_URL:
        raise IdentityFault(Fault.UNFETCHED, "no info parameter that says where the certificate is")
    return IdentityHeader(found[1], found[2], found[3], info, params.get("alg", ""), params.get("ppt", ""))


def _params(text: str) -> dict[str, str]:
    params: dict[str, str] = {}
    at = 0
    while at < len(text):
        found = _PARAM.match(text, at)
        if found is None or found[1].lower() in params:
            raise IdentityFault(Fault.INVALID, "parameters that cannot be read, or one twice")
        params[found[1].lower()] = found[2] or found[3] or found[4] or ""
        at = found.end()
    return params
