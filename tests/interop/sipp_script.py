"""Scenarios for sipp put together from parts, for dialogs with many turns.

What differs from the usual is all that a test has to write. Media are described only;
:class:`tests.interop.rtp.RtpPeer` speaks and hears them.
"""

from __future__ import annotations

from pathlib import Path

from tests.interop.sipp_peer import UNTIL_TOLD

_OURS = """\
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: "sipp" <sip:sipp@[local_ip]:[local_port]>;tag=[pid]sipp[call_number]
Call-ID: [call_id]
Contact: <sip:sipp@[local_ip]:[local_port]>"""
_TO = "To: <sip:[service]@[remote_ip]:[remote_port]>"
_COPIED = "[last_Via:]\n[last_From:]\n[last_To:]{tag}\n[last_Call-ID:]\n[last_CSeq:]"
_KEPT = {"Via": "kept_via", "From": "kept_from", "To": "kept_to", "CSeq": "kept_cseq"}
_HERE = "Contact: <sip:sipp@[local_ip]:[local_port]>"


def script(*parts: str) -> str:
    """A scenario file."""
    return '<?xml version="1.0" encoding="UTF-8" ?>\n<scenario name="script">\n' + "".join(parts) + "</scenario>\n"


def sdp(rtp_port: int, *lines: str, version: int = 1, ip: str = "[media_ip]", user: str = "sipp") -> str:
    """A description of one µ-law stream with keys; ``lines`` follow its media line, ``rtp_port`` 0 refuses it."""
    more = "".join(f"{line}\n" for line in lines)
    return (
        f"v=0\no={user} 53655765 {version} IN IP4 [local_ip]\ns=-\nc=IN IP4 {ip}\nt=0 0\n"
        f"m=audio {rtp_port} RTP/AVP 0 101\na=rtpmap:0 PCMU/8000\na=rtpmap:101 telephone-event/8000\n"
        f"a=fmtp:101 0-15\n{more}"
    )


def invite(cseq: int, body: str, *headers: str, kind: str = "application/sdp") -> str:
    """Send an INVITE; the first of a dialog has no tag of the other side yet."""
    to = _TO if cseq == 1 else f"{_TO}[peer_tag_param]"
    start = "sip:[service]@[remote_ip]:[remote_port]" if cseq == 1 else "[next_url]"
    return _send(f"INVITE {start} SIP/2.0", cseq, "INVITE", to, headers, body, kind)


def invite_again(cseq: int, body: str, *headers: str) -> str:
    """Another INVITE for a dialog that the first one did not make."""
    start = "INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0"
    return _send(start, cseq, "INVITE", _TO, headers, body, "application/sdp")


def request(method: str, cseq: int, *headers: str, body: str = "", kind: str = "") -> str:
    """Send a request within the dialog."""
    return _send(f"{method} [next_url] SIP/2.0", cseq, method, f"{_TO}[peer_tag_param]", headers, body, kind)


def answered(*headers_of_ack: str, cseq: int = 1) -> str:
    """Wait for the 200 to an INVITE and acknowledge it."""
    return (
        '<recv response="100" optional="true"/>\n<recv response="180" optional="true"/>\n'
        '<recv response="200" rrs="true"/>\n' + _ack(cseq, headers_of_ack)
    )


def refused(status: int, cseq: int = 1) -> str:
    """Wait for the refusal of an INVITE and acknowledge it in its transaction (RFC 3261 §17.1.1.3)."""
    ack = _ack(cseq, ()).replace("branch=[branch]", "branch=[branch-1]")
    return f'<recv response="100" optional="true"/>\n<recv response="{status}"/>\n{ack}'


def expect(what: str | int, timeout_ms: int = 15_000, *, optional: bool = False) -> str:
    """Wait for a request by its method, or a response by its status."""
    kind = "response" if isinstance(what, int) else "request"
    maybe = ' optional="true"' if optional else f' timeout="{timeout_ms}"'
    return f'<recv {kind}="{what}"{maybe}/>\n'


def expect_and_keep(method: str, timeout_ms: int = 15_000) -> str:
    """Wait for a request that is answered later, when others have come: see :func:`answer_kept`."""
    copies = "".join(
        f'<ereg regexp=".*" search_in="hdr" header="{name}:" check_it="true" assign_to="{variable}"/>\n'
        for name, variable in _KEPT.items()
    )
    used = ",".join(_KEPT.values())
    return (
        f'<recv request="{method}" timeout="{timeout_ms}" rrs="true"><action>\n{copies}</action></recv>\n'
        f'<Reference variables="{used}"/>\n'
    )


def request_back(method: str, cseq: int, *headers: str, tag: str) -> str:
    """Send a request in the dialog of an INVITE that :func:`expect_and_keep` got; ``tag`` is that of the answer."""
    start = f"{method} [next_url] SIP/2.0"
    ours = _OURS.replace("tag=[pid]sipp[call_number]", f"tag={tag}")
    head = "\n".join([start, ours, "To:[$kept_from]", f"CSeq: {cseq} {method}", *headers, "Content-Length: 0"])
    return f'<send retrans="500"><![CDATA[\n{head}\n\n]]></send>\n'


def answer_kept(status: str) -> str:
    """Answer the request of :func:`expect_and_keep`."""
    copied = "\n".join(f"{name}:[${variable}]" for name, variable in _KEPT.items())
    head = f"SIP/2.0 {status}\n{copied}\n[last_Call-ID:]\nContent-Length: 0"
    return f"<send><![CDATA[\n{head}\n\n]]></send>\n"


def answer(status: str, *headers: str, body: str = "", tag: str = "", contact: str = "") -> str:
    """Answer the request that came last; ``tag`` for one that began the dialog, ``contact`` in place of ours."""
    copied = _COPIED.format(tag=f";tag={tag}" if tag else "")
    kind = ("Content-Type: application/sdp",) if body else ()
    here = f"Contact: {contact}" if contact else _HERE
    head = "\n".join([f"SIP/2.0 {status}", copied, here, *headers, *kind, "Content-Length: [len]"])
    return f"<send><![CDATA[\n{head}\n\n{body}]]></send>\n"


def pause(ms: int) -> str:
    """Let the call go on."""
    return f'<pause milliseconds="{ms}"/>\n'


def until_told() -> str:
    """Let the call go on until :meth:`tests.interop.sipp_peer.Sipp.tell`."""
    return UNTIL_TOLD


def play(capture: Path, ms: int) -> str:
    """Send the audio of a capture, and let the call go on for so long."""
    return f'<nop><action><exec play_pcap_audio="{capture}"/></action></nop>\n{pause(ms)}'


def _ack(cseq: int, headers: tuple[str, ...]) -> str:
    to = f"{_TO}[peer_tag_param]"
    ack = _send("ACK [next_url] SIP/2.0", cseq, "ACK", to, headers, "", "")
    return ack.replace('<send retrans="500">', "<send>")


def _send(start: str, cseq: int, method: str, to: str, headers: tuple[str, ...], body: str, kind: str) -> str:
    typed = (f"Content-Type: {kind}",) if body else ()
    head = "\n".join([start, _OURS, to, f"CSeq: {cseq} {method}", *headers, *typed, "Content-Length: [len]"])
    return f'<send retrans="500"><![CDATA[\n{head}\n\n{body}]]></send>\n'
