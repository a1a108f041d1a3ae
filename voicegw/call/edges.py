"""The names of who can speak and who can hear in one call, besides its legs: the ends of the edges of a mix."""

from __future__ import annotations

from typing import Final, TypeAlias

from voicegw.base.ids import LegId

AGENT: Final = "agent"
"""Source: the agent's voice."""
ANNOUNCER: Final = "announcer"
"""Source: what the caller is told while the agent does not have the call: progress, ringback, reassurance."""
MUSIC: Final = "music"
"""No source of its own: what is played under the announcer, who is heard over it."""
BRIEFER: Final = "briefer"
"""Source: what somebody who is to take the call is told before they do."""
AGENT_EAR: Final = "agent_ear"
"""Sink: the recogniser's channel of what the caller says."""
_EAR: Final = "ear of "
RECORDED_IN: Final = "rec_in"
"""Sink: the left channel of the recording, what the caller says."""
RECORDED_OUT: Final = "rec_out"
"""Sink: the right channel of the recording, what the caller is sent."""

Edge: TypeAlias = tuple[str, str, float]
"""Source, sink and gain; a source or sink that is none of the names above is a leg."""


def ear_of(leg_id: LegId) -> str:
    """Sink: the recogniser's channel of what one leg says, of a supervisor or of somebody who took the call."""
    return f"{_EAR}{leg_id}"


def is_ear(sink: str) -> bool:
    """Whether what goes there is for a recogniser."""
    return sink == AGENT_EAR or sink.startswith(_EAR)
