"""End-of-turn models in ONNX files. Each runs in a thread of its own; the event loop never waits for it.

A model is ``NAME.onnx`` and ``NAME.yaml`` in the folder ``eot`` of the models; what the second says is described in
:mod:`voicegw.inference.eot.spec`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import onnxruntime

from voicegw.base.clock import Clock
from voicegw.base.errors import ProviderError, VoicegwError
from voicegw.inference.eot.features import LINE_HZ, Feed, audio_feed, probability_of, text_feed
from voicegw.inference.eot.spec import EotSpec, load_spec
from voicegw.inference.eot.tokens import Tokenizer, load_tokenizer
from voicegw.inference.settings import EngineSettings
from voicegw.ports.eot import EotCapabilities, EotQuestion

FOLDER: Final = "eot"
_LOADING_S: Final = 60.0

T = TypeVar("T")


class OnnxEot:
    """Implements EotModel; shared by all calls. Raises ConfigError when there is no such model."""

    def __init__(self, name: str, settings: EngineSettings) -> None:
        folder = settings.models_dir / FOLDER
        self.name = name
        self._spec = load_spec(folder, name)
        self._path = folder / f"{name}.onnx"
        self._clock: Clock = settings.clock
        self._thread = ThreadPoolExecutor(1, f"eot-{name}")
        self._mind: _Mind | None = None
        audio = self._spec.audio
        self.capabilities = EotCapabilities(
            text=self._spec.text is not None,
            audio=audio is not None,
            languages=frozenset(self._spec.languages),
            sample_rate_hz=LINE_HZ if audio else 0,
            audio_ms=audio.window_ms if audio else 0,
        )

    async def start(self) -> None:
        """Load the model and ask it once; raises ProviderError, ConfigError."""
        self._mind = await self._in_thread(lambda: _Mind(self._spec, self._path), _LOADING_S, retryable=False)

    async def probability(self, question: EotQuestion) -> float:
        """See the port; raises ProviderError, retryable unless the model does not know the language."""
        mind = self._mind
        if mind is None:
            raise ProviderError(self.name, "is not running", retryable=False)
        if not self._knows(question.language):
            raise ProviderError(self.name, f"does not know {question.language}", retryable=False)
        deadline = self._clock.monotonic() + self._spec.deadline_ms / 1000
        # Behind others in the queue: what is too late already is not begun.
        found = await self._in_thread(
            lambda: mind.probability(question) if self._clock.monotonic() < deadline else None,
            self._spec.deadline_ms / 1000,
            retryable=True,
        )
        if found is None:
            raise self._late()
        return found

    async def close(self) -> None:
        """Free the model; what is under way ends unheard."""
        self._mind = None
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _knows(self, language: str) -> bool:
        base = language.split("-")[0].lower()
        return not self._spec.languages or any(tag.split("-")[0].lower() == base for tag in self._spec.languages)

    async def _in_thread(self, work: Callable[[], T], patience_s: float, *, retryable: bool) -> T:
        """``work`` in the model's thread. Its errors have no common root, neither ONNX Runtime's nor those of
        tokenizers: whatever it is, there is no opinion."""
        try:
            running = asyncio.wrap_future(self._thread.submit(work))
        except RuntimeError:  # closed meanwhile
            raise ProviderError(self.name, "is closed", retryable=False) from None
        try:
            await asyncio.wait([running], timeout=patience_s)
            if not running.done():
                raise self._late()
        finally:
            running.cancel()  # does nothing to what is done, and keeps what waits from being begun
        if running.cancelled():
            raise ProviderError(self.name, "is closed", retryable=False)
        error = running.exception()
        if isinstance(error, VoicegwError):
            raise error
        if error is not None:
            raise ProviderError(self.name, str(error) or type(error).__name__, retryable=retryable) from error
        return running.result()

    def _late(self) -> ProviderError:
        return ProviderError(self.name, "no opinion in time", retryable=True)


class _Mind:
    """The loaded model. Lives in the thread."""

    def __init__(self, spec: EotSpec, path: Path) -> None:
        self._spec = spec
        self._tokenizer: Tokenizer | None = load_tokenizer(spec.text, path.parent) if spec.text else None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # a pool would spin between questions
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.probability(EotQuestion("hello"))  # a file that does not fit its model is found out now

    def probability(self, question: EotQuestion) -> float:
        feed: Feed = {}
        if self._spec.text is not None and self._tokenizer is not None:
            feed = text_feed(self._spec.text, self._tokenizer, question)
        if self._spec.audio is not None:
            feed = {**feed, **audio_feed(self._spec.audio, question)}
        (values,) = self._session.run([self._spec.output.name], dict(feed))
        return probability_of(self._spec.output, values)
