"""Recording metadata (RFC 7865): who takes part in what is recorded, and whose voice is in which stream.

The document comes from a peer, so it is read with expat as a stream of events, and nothing is built of it but what
we know. A document type declaration ends the reading: without one there are no entities to expand and no files to
fetch. Size, depth, elements and texts are bounded, and so is what a recording session keeps over all updates.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, TypeVar
from xml.parsers import expat

from voicegw.base.errors import RemoteProtocolError

_T = TypeVar("_T")
MAX_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 16
MAX_ELEMENTS: Final = 2_000
MAX_TEXT: Final = 500
"""Characters of one value; what is longer is cut."""
MAX_KEPT: Final = 64
"""Sessions, participants and streams that are kept of each; what comes after them is left out."""
_NAMESPACE: Final = "urn:ietf:params:xml:ns:recording"
"""How the namespace begins. Recorders of before the RFC had another number at its end, or none at all."""


@dataclass(frozen=True, slots=True)
class Session:
    """A communication session: what is being recorded. Times as they were written; "" where they were not."""

    id: str
    sip_session_ids: tuple[str, ...] = ()
    started: str = ""
    stopped: str = ""
    reason: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody in it: an address of record and a name for people, each "" where it is not told."""

    id: str
    aor: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of the recording session; ``label`` is the one of its m-line (RFC 4574)."""

    id: str
    session_id: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class StreamUse:
    """Which streams carry what a participant says (``sends``) and hears (``receives``), by their ids."""

    participant_id: str
    sends: tuple[str, ...] = ()
    receives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Metadata:
    """A document, or all that is known after some. Each of a kind is found by its id.

    ``complete``: the document replaces what was known; else it adds to it (RFC 7865 §6.1.1). ``gone`` are the
    participants that have left.
    """

    complete: bool = True
    sessions: tuple[Session, ...] = ()
    participants: tuple[Participant, ...] = ()
    streams: tuple[Stream, ...] = ()
    uses: tuple[StreamUse, ...] = ()
    gone: tuple[str, ...] = ()

    def sender_of(self, label: str) -> Participant | None:
        """Whose voice a stream carries; None where that is not told, or where it is more than one."""
        ids = {stream.id for stream in self.streams if label and stream.label == label}
        senders = {use.participant_id for use in self.uses if ids.intersection(use.sends)}
        if len(senders) != 1:
            return None
        return next((one for one in self.participants if one.id in senders), None)

    def updated_by(self, later: Metadata) -> Metadata:
        """What is known after ``later``."""
        if later.complete:
            return later
        gone = dict.fromkeys((*self.gone, *later.gone))
        for use in later.uses:
            gone.pop(use.participant_id, None)  # whoever has a stream again is back
        return Metadata(
            complete=True,
            sessions=_bounded({one.id: one for one in (*self.sessions, *later.sessions)}.values()),
            participants=_bounded({one.id: one for one in (*self.participants, *later.participants)}.values()),
            streams=_bounded({one.id: one for one in (*self.streams, *later.streams)}.values()),
            uses=_bounded({one.participant_id: one for one in (*self.uses, *later.uses)}.values()),
            gone=_bounded(gone),
        )


NO_METADATA: Final = Metadata()


def parse_metadata(document: bytes) -> Metadata:
    """Read a document; RemoteProtocolError for what is none, is beyond the limits, or has a document type.

    Elements and attributes that we do not know are passed over, with all that is in them.
    """
    if len(document) > MAX_BYTES:
        raise RemoteProtocolError("recording metadata of too many bytes")
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        # Some recording clients begin the part with an empty line, which XML does not allow before its declaration.
        parser.Parse(document.lstrip(b"\r\n\t "), True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the last two: encodings that Python has not
        raise RemoteProtocolError(f"recording metadata is no XML: {error}") from error
    return reader.result()


def _refuse_doctype(_name: str, _system: str | None, _public: str | None, _subset: bool) -> None:
    raise RemoteProtocolError("recording metadata with a document type")


@dataclass(slots=True)
class _Open:
    """An element that has begun: its name, attributes, text, and the values of what ended within it, by name."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    values: dict[str, list[str]] = field(default_factory=dict)

    def all(self, *names: str) -> tuple[str, ...]:
        return tuple(value for name in names for value in self.values.get(name, ()) if value)

    def first(self, *names: str) -> str:
        return next(iter(self.all(*names)), "")

    def attribute(self, *names: str) -> str:
        return next((self.attributes[name] for name in names if self.attributes.get(name)), "")


class _Reader:
    """The handlers of one document. What they raise ends the reading."""

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._strange = 0
        """How deep we are in an element that is none of ours."""
        self._elements = 0
        self._complete = True
        self._is_recording = False
        self._sessions: dict[str, Session] = {}
        self._participants: dict[str, Participant] = {}
        self._streams: dict[str, Stream] = {}
        self._uses: dict[str, StreamUse] = {}
        self._gone: dict[str, None] = {}

    def result(self) -> Metadata:
        if not self._is_recording:
            raise RemoteProtocolError("not recording metadata")
        return Metadata(
            self._complete,
            _bounded(self._sessions.values()),
            _bounded(self._participants.values()),
            _bounded(self._streams.values()),
            _bounded(self._uses.values()),
            _bounded(self._gone),
        )

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > MAX_ELEMENTS or len(self._open) + self._strange >= MAX_DEPTH:
            raise RemoteProtocolError("recording metadata of too many elements")
        namespace, _, name = tag.rpartition(" ")
        if self._strange or (namespace and not namespace.lower().startswith(_NAMESPACE)):
            self._strange += 1
            return
        if not self._open:
            self._is_recording = name.lower() == "recording"
        known = {key.rpartition(" ")[2].lower(): _plain(value) for key, value in attributes.items()}
        self._open.append(_Open(name.lower(), known))

    def text(self, data: str) -> None:
        if self._open and not self._strange and len(self._open[-1].text) < MAX_TEXT:
            self._open[-1].text += data[:MAX_TEXT]

    def end(self, _tag: str) -> None:
        if self._strange:
            self._strange -= 1
            return
        done = self._open.pop()
        depth = len(self._open)
        if depth == 1:
            self._take(done)
        elif depth:
            values = self._open[-1].values.setdefault(done.name, [])
            if len(values) < MAX_KEPT:
                values.append(_plain(done.text))
            if done.name == "nameid":
                self._open[-1].values.setdefault("aor", []).append(done.attribute("aor"))
                self._open[-1].values.setdefault("person", []).append(done.first("name"))

    def _take(self, done: _Open) -> None:
        """A child of the document's root is complete."""
        match done.name:
            case "datamode":
                self._complete = _plain(done.text).lower() != "partial"
            case "session":
                self._take_session(done)
            case "participant":
                self._take_participant(done)
            case "stream":
                one = Stream(done.attribute("stream_id", "id"), done.attribute("session_id", "session"))
                label = done.first("label") or done.attribute("label")
                self._streams[one.id] = Stream(one.id, one.session_id, label)
            case "participantstreamassoc":
                self._take_use(done.attribute("participant_id", "participant"), done)
            case "participantsessionassoc" if done.first("disassociate-time"):
                self._gone[done.attribute("participant_id", "participant")] = None
            case _:
                pass

    def _take_session(self, done: _Open) -> None:
        one = Session(
            done.attribute("session_id", "id"),
            done.all("sipsessionid", "sip-session-id")[:MAX_KEPT],
            done.first("start-time", "associate-time"),
            done.first("stop-time", "end-time", "disassociate-time"),
            done.first("reason"),
            done.first("group-ref", "group"),
        )
        self._sessions[one.id] = one

    def _take_participant(self, done: _Open) -> None:
        one = Participant(
            done.attribute("participant_id", "id"), done.first("aor"), done.first("person") or done.first("name")
        )
        self._participants[one.id] = one
        if done.all("send", "recv"):  # as drafts of the RFC had it, and clients that were built after them still do
            self._take_use(one.id, done)

    def _take_use(self, participant_id: str, done: _Open) -> None:
        if done.first("disassociate-time"):
            self._uses[participant_id] = StreamUse(participant_id)
            return
        before = self._uses.get(participant_id, StreamUse(participant_id))
        self._uses[participant_id] = StreamUse(
            participant_id,
            tuple(dict.fromkeys((*before.sends, *done.all("send"))))[:MAX_KEPT],
            tuple(dict.fromkeys((*before.receives, *done.all("recv"))))[:MAX_KEPT],
        )


def _plain(text: str) -> str:
    """A value on one line, without what no terminal or database should be given."""
    shown = "".join(character if character.isprintable() else " " for character in text[:MAX_TEXT])
    return " ".join(shown.split())


def _bounded(values: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(values)[:MAX_KEPT]
