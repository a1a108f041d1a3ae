"""Actions that are only told, as the facts they become."""

from __future__ import annotations

from typing import TypeAlias, assert_never

from voicegw.agents.actions import (
    CallWebhook,
    ServiceMoved,
    SlotFilled,
    ToolFailed,
    ToolJudged,
    ToolWaits,
    WebhookReturned,
)
from voicegw.call import facts as f

ToldAction: TypeAlias = (
    CallWebhook | WebhookReturned | ServiceMoved | SlotFilled | ToolWaits | ToolJudged | ToolFailed
)
ToldFact: TypeAlias = (
    f.WebhookWasCalled
    | f.WebhookHasReturned
    | f.ServiceHasMoved
    | f.SlotWasFilled
    | f.ToolWaitsForApproval
    | f.ToolWasApproved
    | f.ToolWasRefused
    | f.ToolHasFailed
)


def told(action: ToldAction) -> ToldFact:
    """What the record says of it."""
    match action:
        case CallWebhook(step, method, url):
            return f.WebhookWasCalled(step, method, url)
        case WebhookReturned(step, status, error):
            return f.WebhookHasReturned(step, status, error)
        case ServiceMoved(to, reason):
            return f.ServiceHasMoved(to, reason)
        case SlotFilled(name, value, confirmed, sensitive):
            return f.SlotWasFilled(name, value, confirmed, sensitive)
        case ToolWaits(key, tool, arguments, within_s):
            return f.ToolWaitsForApproval(key, tool, arguments, within_s)
        case ToolJudged(key, tool, True, by):
            return f.ToolWasApproved(key, tool, by)
        case ToolJudged(key, tool, _, by, reason):
            return f.ToolWasRefused(key, tool, by, reason)
        case ToolFailed(tool, status):
            return f.ToolHasFailed(tool, status)
        case _:
            assert_never(action)
