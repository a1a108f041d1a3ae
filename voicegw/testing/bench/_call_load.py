"""Short calls from a softphone, several at once: the load of the soak bench."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from voicegw.base.errors import VoicegwError
from voicegw.testing.softphone import PhoneCall, Softphone

_WHOLE_EVERY: Final = 8
_TALK_S: Final = 0.2
"""How long an ordinary caller speaks before they hang up in mid-sentence."""
_PATIENCE_S: Final = 20.0


class CallLoad:
    """Every call is answered, hears the agent and speaks. One in eight, and each of the first ``patient``, waits
    for the question, answers it and is told goodbye; the others hang up while they speak and are spoken to."""

    def __init__(self, phone: Softphone, uri: str, speech: bytes, patient: int) -> None:
        """``speech`` is a short answer, 8 kHz PCM."""
        self._phone = phone
        self._patient = patient
        self._uri = uri
        self._speech = speech
        self.made = 0
        self.failures: Counter[str] = Counter()
        """Calls that did not go as they should, by what was missing."""

    async def make(self, count: int, parallel: int) -> None:
        """``count`` more calls, ``parallel`` at a time; returns when all have ended."""
        last = self.made + count
        await asyncio.gather(*(self._keep_calling(last) for _ in range(parallel)))

    async def _keep_calling(self, last: int) -> None:
        while self.made < last:
            self.made += 1
            try:
                await self._one(self.made)
            except VoicegwError as error:
                self.failures[str(error)] += 1

    async def _one(self, number: int) -> None:
        call = await self._phone.dial(self._uri, f"sip:{number}@127.0.0.1")
        try:
            await call.until(lambda: call.far_spoke_at > 0 or call.over, _PATIENCE_S, "the agent's first audio")
            if number <= self._patient or number % _WHOLE_EVERY == 0:
                await self._answer(call)
            else:
                call.start_saying(self._speech)
                await asyncio.sleep(_TALK_S)
        finally:
            if not call.over:
                await call.hang_up()
            self._phone.forget(call)

    async def _answer(self, call: PhoneCall) -> None:
        await call.wait_far_quiet(300, _PATIENCE_S)
        if not call.over:
            await call.say(self._speech)
        await call.wait_ended(_PATIENCE_S)
