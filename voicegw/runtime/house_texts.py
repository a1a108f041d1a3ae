"""What every agent of the house says when it has no words of its own. Made ahead: it is heard without an engine."""

from __future__ import annotations

from voicegw.base.causes import HangupCause

FILLERS = ("One moment, please.", "I am still on it.", "Thank you for waiting.")
"""Said in turn while a reply is awaited."""
PARTING = {
    HangupCause.CALL_TOO_LONG: "We have reached the longest time for a call. Thank you, and goodbye.",
    HangupCause.DRAINING: "I am sorry, our system has to restart now. Please call again in a minute. Goodbye.",
}
APOLOGY = "I am sorry, something went wrong on our side. Please call again. Goodbye."
