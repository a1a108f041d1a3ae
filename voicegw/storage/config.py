"""The configuration of the store."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from voicegw.base.errors import ConfigError

_SCHEMES = ("sqlite:///", "postgresql://")


def absolute_url(url: str, base: Path) -> str:
    """A relative SQLite file under ``base``; every other URL as it is."""
    file = url.removeprefix(_SCHEMES[0])
    return url if file == url else f"{_SCHEMES[0]}{base / file}"


class FileSync(StrEnum):
    """How the files of dialplan and agents and the documents of the store go together."""

    IMPORT = "import"
    MIRROR = "mirror"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class RetentionConfig:
    """How many days each class of data is kept; 0 keeps it for ever. What is due is erased with a certificate."""

    events_days: int = 0
    """Contents of call events and all that is folded from them: numbers, names, transcripts. The chain stays."""
    transcripts_days: int = 0
    """Transcripts and the words that calls are found by; the events behind them are erased of what was said, and
    so is what tools were asked and answered. Plain logs (``paths.calls``) are deleted."""
    recordings_days: int = 0
    """Audio files."""
    captures_days: int = 14
    """Packet captures that somebody ordered; they go with the recordings of their call, too."""
    audit_days: int = 0
    """Details of audit entries. Who did what and when stays."""
    tools_days: int = 0
    """Entries of the ledger of tools; what is younger is not done twice."""

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        for name in (
            "events_days",
            "transcripts_days",
            "recordings_days",
            "captures_days",
            "audit_days",
            "tools_days",
        ):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}", fix="0 for ever, or a number of days")


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """Where the record of calls and the administration are kept."""

    url: str = "sqlite:///var/voicegw.sqlite"
    """``sqlite:///FILE`` (three slashes: relative to the configuration file; four: absolute) or
    ``postgresql://USER:PASSWORD@HOST:PORT/DATABASE`` (needs the extra ``postgres``)."""
    spool: str = "var/spool"
    """Facts wait here, on disk, until the database has them. One directory for each node."""
    spool_mb: int = 512
    """As much waits at most. 500 bytes a fact, 150 facts a call: an hour of 200 busy lines is about 50 MB."""
    batch_ms: int = 50
    """Facts are collected this long before one sync puts them on disk together."""
    busy_timeout_ms: int = 5000
    """A statement or a connection that takes longer has failed; writing is tried again."""
    pool_size: int = 5
    """Connections to PostgreSQL."""
    files: FileSync = FileSync.IMPORT
    """import: an edited file becomes a published version at the next start or SIGHUP. mirror: besides, files follow
    what is published. off: files count only while the store has no documents. Nodes that share a store need the
    same files, or off."""
    watch_s: float = 0.0
    """Look for edited files every so many seconds, and take them as SIGHUP does; 0: only at SIGHUP."""
    retention: RetentionConfig = field(default_factory=RetentionConfig)

    def __post_init__(self) -> None:
        """Refuse what cannot work; raises ConfigError."""
        if not self.url.startswith(_SCHEMES):
            raise ConfigError("store.url names no database that is known", fix=" or ".join(_SCHEMES))
        if self.watch_s < 0:
            raise ConfigError(f"watch_s is {self.watch_s}", fix="0 for never, or some seconds")
        for name, least in (("spool_mb", 1), ("batch_ms", 1), ("busy_timeout_ms", 100), ("pool_size", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} is {getattr(self, name)}", fix=f"at least {least}")
