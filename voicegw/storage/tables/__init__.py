"""The tables of the store, by subject; importing this package fills ``metadata``."""

from __future__ import annotations

from voicegw.storage.tables import calls, documents, hooks, people, phones, proofs, tolls
from voicegw.storage.tables.base import metadata

__all__ = ["calls", "documents", "hooks", "metadata", "people", "phones", "proofs", "tolls"]
