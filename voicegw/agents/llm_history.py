"""The conversation that a model is sent, kept within bounds: the oldest exchanges go first, many at a time.

Servers reuse their work on a prompt as far as it begins like an earlier one. Leaving out one exchange a turn would
change the beginning every turn; so nothing is left out until the bound is reached, and then half of everything.
"""

from __future__ import annotations

from voicegw.ports.llm import LlmMessage, LlmRole

_BYTES_PER_TOKEN = 3
"""English has about four, other languages fewer."""
_PER_MESSAGE = 4
KEPT_PART = 0.5


def tokens(message: LlmMessage) -> int:
    """About how many tokens a message takes, rather too many."""
    calls = "".join(call.name + call.arguments_json for call in message.tool_calls)
    return _PER_MESSAGE + -(-len((message.content + calls).encode()) // _BYTES_PER_TOKEN)


def trimmed(messages: tuple[LlmMessage, ...], max_tokens: int) -> tuple[LlmMessage, ...]:
    """The same messages while they fit, else the system message and the newest exchanges that fill half the room.

    An exchange begins with a message of the caller: what the model said and asked tools for, and what the tools
    answered, goes or stays with it. The last exchange stays, whatever its size.
    """
    head = sum(1 for message in messages[:1] if message.role is LlmRole.SYSTEM)
    if sum(tokens(message) for message in messages[head:]) <= max_tokens:
        return messages
    starts = [index for index in range(head, len(messages)) if messages[index].role is LlmRole.USER]
    first, room = len(messages), max_tokens * KEPT_PART
    for start in reversed(starts):
        room -= sum(tokens(message) for message in messages[start:first])
        if room < 0 and first < len(messages):
            break
        first = start
    return (*messages[:head], *messages[first:])
