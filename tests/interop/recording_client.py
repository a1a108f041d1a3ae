"""A recording client (SRC, RFC 7866) played by sipp: INVITEs of two parts, and voices by :class:`RtpPeer`.

The documents are of our own making, in the forms of RFC 7865 §10.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.interop.rtp import RtpPeer
from tests.interop.server import Server
from tests.interop.sipp_peer import Sipp
from tests.interop.sipp_script import invite
from tests.interop.sound import Samples

BOUNDARY = "a-part-begins-here"
MULTIPART = f"multipart/mixed;boundary={BOUNDARY}"
_CONTACT = "Contact: <sip:sipp@[local_ip]:[local_port]>"
SENDONLY, INACTIVE = "sendonly", "inactive"

METADATA = """\
<?xml version="1.0" encoding="UTF-8"?>
<recording xmlns="urn:ietf:params:xml:ns:recording:1">
  <datamode>complete</datamode>
  <session session_id="cs-1">
    <sipSessionID>f81d4fae7dec11d0a76500a0c91e6bf6;remote=0123456789abcdef0123456789abcdef</sipSessionID>
    <start-time>2026-03-03T10:00:00Z</start-time>
  </session>
  <participant participant_id="p-alice">
    <nameID aor="sip:+493012345@pbx.example.net"><name xml:lang="en">Alice Adler</name></nameID>
  </participant>
  <participant participant_id="p-bob">
    <nameID aor="sip:+4940987654@pbx.example.net"><name xml:lang="en">Bob Brandt</name></nameID>
  </participant>
  <stream stream_id="s-1" session_id="cs-1"><label>96</label></stream>
  <stream stream_id="s-2" session_id="cs-1"><label>97</label></stream>
  <sessionrecordingassoc session_id="cs-1">
    <associate-time>2026-03-03T10:00:00Z</associate-time>
  </sessionrecordingassoc>
  <participantsessionassoc participant_id="p-alice" session_id="cs-1"/>
  <participantsessionassoc participant_id="p-bob" session_id="cs-1"/>
  <participantstreamassoc participant_id="p-alice"><send>s-1</send><recv>s-2</recv></participantstreamassoc>
  <participantstreamassoc participant_id="p-bob"><send>s-2</send><recv>s-1</recv></participantstreamassoc>
</recording>
"""
"""Alice in the stream labelled 96, Bob in the one labelled 97."""


@dataclass(frozen=True, slots=True)
class Voice:
    """One m-line. ``port`` 0 takes it out."""

    port: int
    label: int
    direction: str = SENDONLY


def streams(voices: Sequence[Voice], version: int = 1) -> str:
    """The description of the streams that the client sends."""
    sections = "".join(
        f"m=audio {one.port} RTP/AVP 0\na=rtpmap:0 PCMU/8000\na={one.direction}\na=label:{one.label}\n"
        for one in voices
    )
    return f"v=0\no=SRC 53655765 {version} IN IP4 [local_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\n{sections}"


def parts(description: str, metadata: str) -> str:
    """A body of two parts."""
    document = f"Content-Type: application/rs-metadata+xml\nContent-Disposition: recording-session\n\n{metadata}"
    return (
        f"--{BOUNDARY}\nContent-Type: application/sdp\n\n{description}\n--{BOUNDARY}\n{document}\n--{BOUNDARY}--\n"
    )


def forks(cseq: int, voices: Sequence[Voice], metadata: str = "") -> str:
    """INVITE or re-INVITE of the client; without ``metadata`` it has a description alone."""
    description = streams(voices, cseq)
    body, kind = (parts(description, metadata), MULTIPART) if metadata else (description, "application/sdp")
    sent = invite(cseq, body, "Require: siprec", kind=kind)
    return sent.replace(_CONTACT, f"{_CONTACT};+sip.src")


def take_recordings(server: Server) -> None:
    """Let the trunk that sipp is open recording sessions, and record them all. Before the server starts."""
    server.write_trunk("sbc", hosts=[server.host], siprec=True, health={"options_s": 0})
    home = server.configuration.parent
    plan = (home / "dialplan.yaml").read_text()
    recorder = "{name: compliance, match: {trunk: sbc}, record: {}}"
    (home / "dialplan.yaml").write_text(plan.replace("routes:\n", f"routes:\n- {recorder}\n"))


def answered_ports(sipp: Sipp) -> list[int]:
    """Wait for the 200 to the INVITE; the ports that it names, 0 for what it refuses."""
    return ports_in(sipp.wait_for("SIP/2.0 200", "INVITE").body)


def ports_in(description: str) -> list[int]:
    """The ports of its sections, in their order."""
    return [int(port) for port in re.findall(r"^m=\w+ (\d+) ", description, re.MULTILINE)]


def speak(sipp: Sipp, server: Server, *said: tuple[RtpPeer, Samples]) -> None:
    """Each says their own into the stream of their place."""
    for port, (peer, sound) in zip(answered_ports(sipp), said, strict=False):
        peer.start((server.host, port), sound)
