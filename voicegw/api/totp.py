"""Time-based one-time passwords: RFC 6238 over RFC 4226 §5.3, SHA-1, six digits, thirty seconds.

Own code: it is one HMAC, and refusing a code that was used before (RFC 6238 §5.2) needs its time step, which the
usual libraries do not hand out.
"""

from __future__ import annotations

import hmac
from base64 import b32encode
from urllib.parse import quote, urlencode

STEP_S = 30
DIGITS = 6
SECRET_BYTES = 20
"""As long as the hash (RFC 4226 §4, R6)."""
_DRIFT_STEPS = 1
"""A phone's clock may be one step off in either direction (RFC 6238 §5.2)."""


def code_at(secret: bytes, step: int) -> str:
    """The code of one time step."""
    digest = hmac.digest(secret, step.to_bytes(8), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4]) & 0x7FFF_FFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def matching_step(secret: bytes, code: str, at_wall: float, last_step: int = -1) -> int | None:
    """The time step of ``code`` if it is right now and later than ``last_step``, else None.

    Store what it returns as the next ``last_step``: each code is good for one login. All steps are compared, so
    that the time tells nothing.
    """
    now = int(at_wall // STEP_S)
    found: int | None = None
    for step in range(now - _DRIFT_STEPS, now + _DRIFT_STEPS + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()) and step > last_step:
            found = step
    return found


def provisioning_uri(secret: bytes, user: str, issuer: str) -> str:
    """What authenticator apps read as a QR code."""
    query = urlencode({"secret": b32encode(secret).decode(), "issuer": issuer, "period": STEP_S}, quote_via=quote)
    return f"otpauth://totp/{quote(issuer)}:{quote(user)}?{query}"
