"""Code blocks dropped from a text while it is written: their ends lie in different pieces.

A sentence by itself does not tell whether it stands inside a block of code, so this comes before the sentences are
cut; everything else of Markdown is removed afterwards, sentence by sentence.
"""

from __future__ import annotations


class FenceFilter:
    """Feed text as it comes; get what lies outside of ``` and ~~~ blocks. A block that never ends is dropped."""

    def __init__(self) -> None:
        self._held = ""
        self._inside = False
        self._line_start = True

    def push(self, text: str) -> str:
        """What of the text so far is certainly prose, and has not been returned before."""
        self._held += text
        out: list[str] = []
        while self._held:
            line, newline, _ = self._held.partition("\n")
            if self._line_start and not newline and self._may_be_fence(line):
                break
            self._take(line + newline, out)
        return "".join(out)

    def finish(self) -> str:
        """What was held back, once there is no more text."""
        out: list[str] = []
        if self._held:
            self._take(self._held, out)
        return "".join(out)

    def _take(self, line: str, out: list[str]) -> None:
        self._held = self._held[len(line) :]
        if self._line_start and line.lstrip(" \t").startswith(("```", "~~~")):
            self._inside = not self._inside
        elif not self._inside:
            out.append(line)
        self._line_start = line.endswith("\n")

    def _may_be_fence(self, line: str) -> bool:
        """A line without its end that could still turn out to open or close a block."""
        start = line.lstrip(" \t")
        return not start or "```".startswith(start[:3]) or "~~~".startswith(start[:3])
