"""What an agent wants done beside speaking and listening: keys, languages, secrets, pauses of the recording."""

from __future__ import annotations

from typing import TypeAlias, assert_never

from voicegw.agents.actions import (
    Concealing,
    ConsentAnswered,
    Disclosing,
    PauseRecording,
    SendDtmf,
    ServiceMoved,
    StepFinished,
    SwitchLanguage,
)
from voicegw.call import facts as f
from voicegw.runtime.conversation_links import ConversationLinks
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.services import CallServices
from voicegw.runtime.told import ToldAction, told
from voicegw.runtime.tongue import Tongue
from voicegw.runtime.waits import ToolQueue

Wish: TypeAlias = (
    SendDtmf | SwitchLanguage | StepFinished | Disclosing | Concealing | ConsentAnswered | PauseRecording
)


class AgentWishes:
    """Carries them out at once; nobody waits for them."""

    def __init__(
        self,
        services: CallServices,
        book: LogBook,
        links: ConversationLinks,
        tongue: Tongue,
        tool_queue: ToolQueue,
    ) -> None:
        self._counters = services.counters
        self._book = book
        self._links = links
        self._tongue = tongue
        self._tool_queue = tool_queue

    def grant(self, wish: Wish) -> bool:
        """Do it; True if the conversation goes on in another language."""
        match wish:
            case SendDtmf(digits):
                self._links.press(digits)
            case SwitchLanguage(language) if self._tongue.switch(language):
                self._counters.add("language_switched")
                return True
            case StepFinished() | SwitchLanguage():
                pass
            case Disclosing(text):
                self._book.censor.disclosing(text)
            case Concealing(text):
                self._book.censor.conceal(text)
            case ConsentAnswered():
                self._links.recorder.answered(wish)
            case PauseRecording(paused):
                self._links.recorder.pause("agent", paused=paused)
            case _:
                assert_never(wish)
        return False

    def write_down(self, action: ToldAction) -> None:
        """Something that the agent tells of itself."""
        if isinstance(action, ServiceMoved):
            self._counters.add(f"ladder_{action.to.partition(':')[0]}")
        self._tool_queue.note(action)
        self._book.note(told(action))

    def language_changed(self) -> None:
        """The record says in what language the call goes on."""
        self._book.note(f.LanguageHasChanged(self._tongue.language))
