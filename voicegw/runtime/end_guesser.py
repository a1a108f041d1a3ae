"""Asks an end-of-turn model about a silence, beside the call: its word may come late, or never."""

from __future__ import annotations

import logging
from collections.abc import Callable

from voicegw.base.errors import ProviderError
from voicegw.base.ids import GuessId, RandomBytes, token
from voicegw.base.metrics import Counters
from voicegw.ports.eot import EotModel, EotQuestion
from voicegw.runtime.mail import EndOfTurnEstimated
from voicegw.runtime.tasks import ChildTasks

log = logging.getLogger(__name__)


class EndGuesser:
    """One question at a time; the answer to an older one is refused by its id."""

    def __init__(
        self,
        model: EotModel | None,
        tasks: ChildTasks,
        post: Callable[[EndOfTurnEstimated], None],
        random: RandomBytes,
        counters: Counters,
    ) -> None:
        self._model = model
        self._tasks = tasks
        self._post = post
        self._random = random
        self._counters = counters
        self._asked: GuessId | None = None

    @property
    def audio_ms(self) -> int:
        """How much of the end of the turn the model wants to hear; 0 without one, or if it only reads."""
        return self._model.capabilities.audio_ms if self._model is not None else 0

    def ask(self, question: EotQuestion) -> None:
        """The caller has fallen silent."""
        if self._model is None:
            return
        self._asked = GuessId(token(self._random))
        asking = self._ask(self._model, self._asked, question)
        self._tasks.spawn("end of turn", asking, lambda reason: self._no_word(reason))

    def forget(self) -> None:
        """The caller goes on."""
        self._asked = None

    def accepts(self, guess_id: GuessId) -> bool:
        """Whether an answer is about the silence that is going on."""
        return guess_id == self._asked

    async def _ask(self, model: EotModel, guess_id: GuessId, question: EotQuestion) -> None:
        try:
            probability = await model.probability(question)
        except ProviderError as error:
            self._no_word(str(error))
            return
        self._post(EndOfTurnEstimated(guess_id, probability))

    def _no_word(self, reason: str) -> None:
        """Endpointing goes on as it does without a model."""
        self._counters.add("eot_failed")
        log.warning("no word from the end-of-turn model: %s", reason)
