"""What is published, as one set of documents."""

from __future__ import annotations

from voicegw.api.installation import AGENT, DIALPLAN, Documents
from voicegw.storage.store import Unit


async def in_force(unit: Unit) -> Documents:
    """All published agents and dialplans."""
    agents = await unit.documents.published(AGENT)
    dialplans = await unit.documents.published(DIALPLAN)
    return Documents(
        {name: one.content.decode("utf-8", "replace") for name, one in agents.items()},
        {name: one.content.decode("utf-8", "replace") for name, one in dialplans.items()},
    )
