"""How long one answer may still be waited for. Pure: it is told what was waited, so a consumer that is slow itself
(the caller is listening to the first sentence) costs the server no time."""

from __future__ import annotations

from voicegw.inference.llm.config import ChatServerConfig


class Patience:
    """The time limits of one answer: first word, gap between chunks, and the whole."""

    def __init__(self, config: ChatServerConfig) -> None:
        self._config = config
        self._spoken = False
        self._waited_s = 0.0
        self._gap_s = 0.0

    def left_s(self) -> float:
        """Seconds until the nearest limit; 0 when one is reached."""
        return max(0.0, min(self._nearest_s(), self._config.total_timeout_s - self._waited_s))

    def waited(self, seconds: float) -> None:
        """So much more was spent waiting for the server."""
        self._waited_s += seconds
        self._gap_s += seconds

    def progressed(self, *, spoke: bool) -> None:
        """A chunk came, with words or a tool call in it if ``spoke``. Keep-alive comments are no progress."""
        self._gap_s = 0.0
        self._spoken = self._spoken or spoke

    def reason(self) -> str:
        """Which limit is the nearest, as the words of an error."""
        config = self._config
        if config.total_timeout_s - self._waited_s < self._nearest_s():
            return f"the answer took longer than {config.total_timeout_s:g} s"
        if not self._spoken:
            return f"no first word within {config.first_token_timeout_s:g} s"
        return f"nothing came for {config.idle_timeout_s:g} s in mid-answer"

    def _nearest_s(self) -> float:
        config = self._config
        if not self._spoken:
            return config.first_token_timeout_s - self._waited_s
        return config.idle_timeout_s - self._gap_s
