"""What is known of a recording session: its metadata, read and put together, and who speaks in which stream."""

from __future__ import annotations

import logging

from voicegw.base.errors import RemoteProtocolError
from voicegw.base.metrics import Counters
from voicegw.call.recording_facts import RecordedParticipant, RecordedSession, RecordingWasDescribed
from voicegw.runtime.log_book import LogBook
from voicegw.runtime.stream_ears import Speaker
from voicegw.sip.rs_metadata import NO_METADATA, Metadata, parse_metadata

log = logging.getLogger(__name__)

MOST_DOCUMENTS = 200
"""Documents of one recording session that are looked into; a client that sends more of them has lost its way."""


class RecordingNotes:
    """Metadata that cannot be read changes nothing: the session is recorded as before, and that is written down."""

    def __init__(self, book: LogBook, counters: Counters) -> None:
        self._book = book
        self._counters = counters
        self._documents = 0
        self.metadata: Metadata = NO_METADATA

    def describe(self, document: bytes) -> None:
        """A document came with the INVITE, or later."""
        self._documents += 1
        if self._documents > MOST_DOCUMENTS:
            self._counters.add("recording_metadata_ignored")
            return
        try:
            later = parse_metadata(document)
        except RemoteProtocolError as error:
            log.warning("recording metadata cannot be read: %s", error)
            self._counters.add("recording_metadata_unreadable")
            self._book.note(RecordingWasDescribed(readable=False))
            return
        before, self.metadata = self.metadata, self.metadata.updated_by(later)
        if self.metadata != before or self._documents == 1:
            self._book.note(_fact(self.metadata))

    def speaker(self, label: str) -> Speaker:
        """Who speaks in the stream of this label."""
        who = self.metadata.sender_of(label)
        return Speaker(label, who.id, who.name or who.aor) if who is not None else Speaker(label)


def _fact(metadata: Metadata) -> RecordingWasDescribed:
    labels = {stream.id: stream.label or stream.id for stream in metadata.streams}
    uses = {use.participant_id: use for use in metadata.uses}
    gone = frozenset(metadata.gone)
    participants = []
    for one in metadata.participants:
        use = uses.get(one.id)
        sends = tuple(labels[each] for each in use.sends if each in labels) if use is not None else ()
        receives = tuple(labels[each] for each in use.receives if each in labels) if use is not None else ()
        participants.append(RecordedParticipant(one.id, one.aor, one.name, sends, receives, one.id in gone))
    sessions = tuple(
        RecordedSession(one.id, one.sip_session_ids, one.started, one.stopped, one.reason, one.group)
        for one in metadata.sessions
    )
    return RecordingWasDescribed(True, sessions, tuple(participants))
