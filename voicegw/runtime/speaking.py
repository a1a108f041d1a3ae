"""What is said to the caller, in which language and voice: the agent's words, and the house's where it has none."""

from __future__ import annotations

from collections.abc import Callable

from voicegw.agents.actions import Say
from voicegw.base.ids import GenerationId
from voicegw.ports.tts import TtsRequest
from voicegw.runtime.house_texts import HouseTexts, HouseWords
from voicegw.runtime.mouth import Mouth, SpeechMail
from voicegw.runtime.tongue import Tongue


class Speaking:
    """Whatever is said may have been made before it was wanted: what is there of it is returned.

    ``rate_hz``: at which the call is mixed.
    """

    def __init__(
        self,
        mouth: Mouth,
        tongue: Tongue,
        texts: HouseTexts,
        rate_hz: Callable[[], int],
    ) -> None:
        self._mouth = mouth
        self._tongue = tongue
        self._texts = texts
        self._rate_hz = rate_hz
        self._fillers = 0
        """Said during the running reply; they are no part of it."""
        self.consoled = False
        """The agent itself has said that the caller has to wait."""

    def begin_reply(self) -> None:
        """What is said from now on belongs to another reply, and so does its language."""
        self._fillers, self.consoled = 0, False
        self._tongue.mark()

    def say(self, say: Say, reply: GenerationId | None = None) -> list[SpeechMail]:
        """Say it after all that is being said; ``reply`` as a part of which."""
        utterance_id = self._mouth.say(self._request(say), interruptible=say.interruptible, reply=reply)
        return self._mouth.take_made(utterance_id)

    def prepare(self, say: Say) -> None:
        """Nobody knows yet whether it is wanted: have it ready."""
        self._mouth.prepare(self._request(say))

    def say_house(self, text: str) -> list[SpeechMail]:
        """The server's own words, in the language of the call where it has some."""
        language = self._texts.language_for(self._tongue.language)
        return self.say(Say(text, interruptible=False, language=language))

    @property
    def house_words(self) -> HouseWords:
        """What the server itself can say in the language of the call."""
        return self._texts.of(self._tongue.language)

    def fill(self) -> list[SpeechMail]:
        """The reply is late: let the caller know that somebody is there."""
        if self._mouth.busy or self.consoled:
            return []
        fillers, self._fillers = self.house_words.fillers, self._fillers + 1
        return self.say_house(fillers[(self._fillers - 1) % len(fillers)])

    def _request(self, say: Say) -> TtsRequest:
        language = say.language or self._tongue.language
        voice = say.voice or self._tongue.voice(language)
        return TtsRequest(say.text, voice, language, sample_rate_hz=self._rate_hz())
