"""How a conversation reaches the call that it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from voicegw.agents.actions import Transfer
from voicegw.base.causes import HangupCause
from voicegw.runtime import mail as mail_types
from voicegw.runtime.call_recorder import CallRecorder


@dataclass(frozen=True, slots=True)
class ConversationLinks:
    """How a conversation reaches its call: the mailbox, its end, keys for the caller, and transfers.

    ``can_move``: whether this target is known; ``move`` and ``answer``: do it now, for all that was to be said has
    been heard. ``rate_hz``: at which the call is mixed.
    """

    post: Callable[[mail_types.ChildMail], None]
    finished: Callable[[HangupCause], None]
    press: Callable[[str], None]
    recorder: CallRecorder
    can_move: Callable[[str], bool]
    move: Callable[[Transfer], None]
    answer: Callable[[], None]
    rate_hz: Callable[[], int] = lambda: 8000
