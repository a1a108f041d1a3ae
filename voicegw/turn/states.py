"""The turn table: who has the floor. 8 states, 28 rows; a pair without a row is a programming error.

DECIDING is what the obvious version lacks: the caller made a sound, fell silent, and the verdict on whether it
was an interruption is still out. Without that state the machine can wait for a caller who has nothing to say.
"""

from __future__ import annotations

from enum import Enum

from voicegw.base.fsm import TransitionTable


class TurnState(Enum):
    """Who speaks, listens or decides."""

    LISTENING = "listening"
    CALLER_SPEAKING = "caller_speaking"
    ENDPOINTING = "endpointing"
    THINKING = "thinking"
    SPEAKING = "speaking"
    YIELDED = "yielded"
    DECIDING = "deciding"
    SUSPENDED = "suspended"


class TurnTrigger(Enum):
    """What moves the floor."""

    SPEECH_STARTED = "speech_started"
    SPEECH_STOPPED = "speech_stopped"
    TURN_ENDED = "turn_ended"
    UTTERANCE_STARTED = "utterance_started"
    UTTERANCE_FINISHED = "utterance_finished"
    REPLY_EMPTY = "reply_empty"
    BARGE_IN_CONFIRMED = "barge_in_confirmed"
    BARGE_IN_REJECTED = "barge_in_rejected"
    AGENT_SUSPENDED = "agent_suspended"
    AGENT_RESUMED = "agent_resumed"


_S = TurnState
_T = TurnTrigger

TURN_TABLE: TransitionTable[TurnState, TurnTrigger] = TransitionTable(
    "turn",
    {
        (_S.LISTENING, _T.SPEECH_STARTED): _S.CALLER_SPEAKING,
        (_S.LISTENING, _T.SPEECH_STOPPED): _S.ENDPOINTING,
        (_S.LISTENING, _T.UTTERANCE_STARTED): _S.SPEAKING,
        (_S.CALLER_SPEAKING, _T.SPEECH_STOPPED): _S.ENDPOINTING,
        (_S.ENDPOINTING, _T.SPEECH_STARTED): _S.CALLER_SPEAKING,
        (_S.ENDPOINTING, _T.TURN_ENDED): _S.THINKING,
        (_S.THINKING, _T.SPEECH_STARTED): _S.CALLER_SPEAKING,
        (_S.THINKING, _T.UTTERANCE_STARTED): _S.SPEAKING,
        (_S.THINKING, _T.REPLY_EMPTY): _S.LISTENING,
        (_S.SPEAKING, _T.SPEECH_STARTED): _S.YIELDED,
        (_S.SPEAKING, _T.SPEECH_STOPPED): _S.SPEAKING,
        (_S.SPEAKING, _T.UTTERANCE_FINISHED): _S.LISTENING,
        (_S.YIELDED, _T.SPEECH_STOPPED): _S.DECIDING,
        (_S.YIELDED, _T.BARGE_IN_CONFIRMED): _S.CALLER_SPEAKING,
        (_S.YIELDED, _T.BARGE_IN_REJECTED): _S.SPEAKING,
        (_S.DECIDING, _T.SPEECH_STARTED): _S.YIELDED,
        (_S.DECIDING, _T.BARGE_IN_CONFIRMED): _S.ENDPOINTING,
        (_S.DECIDING, _T.BARGE_IN_REJECTED): _S.SPEAKING,
        (_S.SUSPENDED, _T.SPEECH_STARTED): _S.SUSPENDED,
        (_S.SUSPENDED, _T.SPEECH_STOPPED): _S.SUSPENDED,
        (_S.SUSPENDED, _T.AGENT_RESUMED): _S.LISTENING,
        **{(state, _T.AGENT_SUSPENDED): _S.SUSPENDED for state in _S if state is not _S.SUSPENDED},
    },
)
