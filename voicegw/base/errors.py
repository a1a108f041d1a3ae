"""One tree of errors, split by whose fault it is.

::

    VoicegwError
    ├── LocalError            we did something wrong, or this machine cannot do it (ports, disk, memory)
    ├── RemoteError           a SIP or RTP peer did
    │   └── RemoteProtocolError   ... and what it sent does not follow the protocol; carries a status hint
    ├── ProviderError         a speech, language or web service did; says whether a retry can help
    └── ConfigError           the administrator's file did; names the file, the line and the fix

Protocol code raises nothing else. The tick and the datagram handlers raise nothing at all: they count.
"""

from __future__ import annotations


class VoicegwError(Exception):
    """Root of every error that voicegw raises on purpose."""


class LocalError(VoicegwError):
    """A wrong call of our own code, or a resource of this machine that ran out."""


class RemoteError(VoicegwError):
    """The peer's fault."""


class RemoteProtocolError(RemoteError):
    """What the peer sent breaks the protocol.

    ``status_hint`` is the SIP status that answers it where an answer is allowed (RFC 3261 §8.2, §16.3).
    """

    def __init__(self, message: str, status_hint: int = 400) -> None:
        super().__init__(message)
        self.status_hint = status_hint


class ProviderError(VoicegwError):
    """A provider (speech engine, language model, webhook) failed."""

    def __init__(self, provider: str, message: str, *, retryable: bool) -> None:
        super().__init__(f"{provider}: {message}")
        self.provider = provider
        self.retryable = retryable


class ConfigError(VoicegwError):
    """A configuration, dialplan or agent file is wrong: where, what, and how to put it right."""

    def __init__(self, message: str, *, file: str = "", line: int = 0, fix: str = "") -> None:
        self.message = message
        self.file = file
        self.line = line
        self.fix = fix
        place = f"{file}:{line}: " if file and line else (f"{file}: " if file else "")
        super().__init__(f"{place}{message}" + (f"\n    fix: {fix}" if fix else ""))
