"""Signatures of webhooks: HMAC-SHA256 over time and body, so that a stolen delivery cannot be replayed later."""

from __future__ import annotations

import hmac

SIGNATURE_HEADER = "X-Voicegw-Signature"
EVENT_HEADER = "X-Voicegw-Event"
DELIVERY_HEADER = "X-Voicegw-Delivery"
TOLERANCE_S = 300


def sign(secret: str, body: bytes, at_wall: int) -> str:
    """``t=<seconds since 1970>,v1=<hex>`` over ``<t>.<body>``."""
    digest = hmac.digest(secret.encode(), f"{at_wall}.".encode() + body, "sha256").hex()
    return f"t={at_wall},v1={digest}"


def verify(secret: str, body: bytes, header: str, now_wall: float) -> bool:
    """What a receiver does: the signature is right and not older or newer than five minutes."""
    parts = dict(part.split("=", 1) for part in header.split(",") if "=" in part)
    stamp = parts.get("t", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return False
    fresh = abs(now_wall - int(stamp)) <= TOLERANCE_S
    return hmac.compare_digest(sign(secret, body, int(stamp)).encode(), header.encode()) and fresh


def retry_delay_s(attempt: int, jitter: float, first_s: float = 2.0, longest_s: float = 3600.0) -> float:
    """How long to wait after the ``attempt``-th failure (from 1).

    Exponential; ``jitter`` (0 to 1) takes up to half of it away, so that a receiver that comes back is not hit by
    everything at once.
    """
    whole = min(longest_s, first_s * 2.0 ** min(attempt - 1, 30))
    return whole * (1 - jitter / 2)
