"""What sipp does in a call of the benches, put together from messages and waits.

Every first INVITE has the branch of its call in it, so that CANCEL and the ACK of a refusal can have the same one
(RFC 3261 §9.1, §17.1.1.3).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_BRANCH: Final = "z9hG4bK-[pid]-[call_number]-first"
_HERE: Final = "[local_ip]:[local_port];transport=[transport]"
_THERE: Final = "sip:[service]@[remote_ip]:[remote_port]"
_ANSWER: Final = "[last_Via:]\n[last_From:]\n[last_To:]{tag}\n[last_Call-ID:]\n[last_CSeq:]"


def scene(*parts: str) -> str:
    """A scenario file."""
    return '<?xml version="1.0" encoding="UTF-8" ?>\n<scenario name="bench">\n' + "".join(parts) + "</scenario>\n"


def description(*lines: str, version: int = 1, port: str = "[media_port]") -> str:
    """One stream of G.711 µ-law with keys; ``lines`` follow its media line."""
    more = "".join(f"{line}\n" for line in lines)
    return (
        f"v=0\no=bench 1 {version} IN IP4 [local_ip]\ns=-\nc=IN IP4 [media_ip]\nt=0 0\n"
        f"m=audio {port} RTP/AVP 0 101\na=rtpmap:0 PCMU/8000\na=rtpmap:101 telephone-event/8000\n{more}"
    )


def invite(body: str) -> str:
    """The first INVITE."""
    return _request("INVITE", 1, _THERE, _BRANCH, f"To: <{_THERE}>", body)


def again(cseq: int, body: str) -> str:
    """A re-INVITE, its 200 and the ACK."""
    return (
        _inside("INVITE", cseq, body)
        + '<recv response="100" optional="true"/>\n<recv response="200"/>\n'
        + acknowledge(cseq)
    )


def answered() -> str:
    """Wait for the 200, and acknowledge it."""
    return accepted() + acknowledge(1)


def accepted() -> str:
    """Wait for the 200, and leave it at that."""
    return waiting() + '<recv response="200" rrs="true"/>\n'


def waiting() -> str:
    """Whatever may come before the answer."""
    return "".join(f'<recv response="{status}" optional="true"/>\n' for status in (100, 180, 183))


def refused(status: int) -> str:
    """Wait for the refusal, and acknowledge it."""
    return f'{waiting()}<recv response="{status}"/>\n' + acknowledge_refusal()


def taken_or_refused(body: str, *talk: str) -> str:
    """INVITE; acknowledge a 200 and go on with ``talk``, or a 503, and that was it.

    Counted as ``up`` and ``refused``, and the time to each is ``setup`` and ``refusal``.
    """
    start = invite(body).replace("<send ", '<send start_rtd="setup" ')
    maybe = '<recv response="503" optional="true" rtd="refusal" counter="refused" next="refused"/>\n'
    came = '<recv response="200" rrs="true" rtd="setup" counter="up"/>\n'
    over = '<nop next="over"/>\n<label id="refused"/>\n' + acknowledge_refusal() + '<label id="over"/>\n<nop/>\n'
    talked = acknowledge(1) + "".join(talk)
    return scene('<nop start_rtd="refusal"/>\n', start, waiting(), maybe, came, talked, over)


def cancelled() -> str:
    """Wait for early media, and take the INVITE back."""
    cancel = _request("CANCEL", 1, _THERE, _BRANCH, f"To: <{_THERE}>")
    return (
        '<recv response="100" optional="true"/>\n<recv response="183"/>\n'
        + cancel.replace("<send ", '<send start_txn="cancel" ')
        + '<recv response="200" response_txn="cancel"/>\n<recv response="487"/>\n'
        + acknowledge_refusal()
    )


def acknowledge(cseq: int) -> str:
    """The ACK of a 200."""
    return _inside("ACK", cseq).replace(' retrans="500"', "")


def acknowledge_refusal() -> str:
    """The ACK of anything else; then sipp stays for a moment, should the refusal come once more."""
    return _request("ACK", 1, _THERE, _BRANCH, "[last_To:]").replace(' retrans="500"', "")


def hang_up(cseq: int) -> str:
    """BYE, and its 200."""
    return _inside("BYE", cseq) + '<recv response="200"/>\n'


def wait_for(method: str, within_ms: int) -> str:
    """Wait for a request, and answer it with 200, or 202 a REFER."""
    status = "202 Accepted" if method == "REFER" else "200 OK"
    return f'<recv request="{method}" timeout="{within_ms}"/>\n' + answer(status)


def answer(status: str, body: str = "", tag: str = "") -> str:
    """Answer the request that came last; ``tag`` where it begins a dialog."""
    kind = "Content-Type: application/sdp\n" if body else ""
    head = f"SIP/2.0 {status}\n{_ANSWER.format(tag=tag)}\nContact: <sip:bench@{_HERE}>\n{kind}Content-Length: [len]"
    again = ' retrans="500"' if body else ""
    return f"<send{again}><![CDATA[\n{head}\n\n{body}]]></send>\n"


def notify(cseq: int, state: str, status: str) -> str:
    """Tell how the call of a REFER goes (RFC 3515 §2.4.4). A REFER that comes once more, since its 202 took longer
    than T1 (RFC 3261 §17.1.2.2), is let pass: sipp repeats a 202 only while it is the last it has sent."""
    fragment = f"SIP/2.0 {status}\n"
    about = f"Event: refer\nSubscription-State: {state}\nContent-Type: message/sipfrag;version=2.0\n"
    text = _inside("NOTIFY", cseq, fragment).replace("Content-Type: application/sdp\n", about)
    return text + '<recv request="REFER" optional="global"/>\n<recv response="200"/>\n'


def pause(ms: int) -> str:
    """Let the call go on."""
    return f'<pause milliseconds="{ms}"/>\n'


def speak(ulaw: Path, times: int = 1) -> str:
    """Send the sound of a file, -1 times for as long as the call lasts."""
    return f'<nop><action><exec rtp_stream="{ulaw},{times},0"/></action></nop>\n'


def desk(status: str = "200 OK") -> str:
    """Somebody who is called: answers and waits for the BYE, or refuses."""
    tag = ";tag=[pid]desk[call_number]"
    ringing = '<recv request="INVITE"/>\n' + answer("180 Ringing", tag=tag) + pause(200)
    if not status.startswith("2"):
        return scene(ringing, answer(status, tag=tag), '<recv request="ACK"/>\n')
    return scene(ringing, answer(status, description(), tag), '<recv request="ACK"/>\n', wait_for("BYE", 60_000))


def _inside(method: str, cseq: int, body: str = "") -> str:
    return _request(method, cseq, "[next_url]", "[branch]", f"To: <{_THERE}>[peer_tag_param]", body)


def _request(method: str, cseq: int, uri: str, branch: str, to: str, body: str = "") -> str:
    kind = ["Content-Type: application/sdp"] if body else []
    head = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}",
        "Max-Forwards: 70",
        "From: <sip:[call_number]@[local_ip]:[local_port]>;tag=[pid]bench[call_number]",
        to,
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
        f"Contact: <sip:bench@{_HERE}>",
        *kind,
        "Content-Length: [len]",
    ]
    text = "\n".join(head)
    return f'<send retrans="500"><![CDATA[\n{text}\n\n{body}]]></send>\n'
