"""A carrier of sipp's: it answers OPTIONS and REGISTER, and takes or refuses the call that follows."""

from __future__ import annotations

from pathlib import Path

from tests.interop.sipp_peer import Sipp
from tests.interop.sipp_script import answer, expect, script

_BODY = """\
v=0
o=sipp 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 {ip}
t=0 0
m=audio {port} RTP/AVP 0
a=rtpmap:0 PCMU/8000
"""


def refuses(status: str, *headers: str) -> str:
    """What comes after the INVITE of a call that is refused."""
    return answer(status, *headers, tag="carrier") + expect("ACK")


def takes(ip: str = "[media_ip]", port: str = "[media_port]") -> str:
    """The same for a call that is answered; ``ip`` and ``port`` are where audio is said to be."""
    answered = answer("200 OK", body=_BODY.format(ip=ip, port=port), tag="carrier")
    return answered + expect("ACK") + expect("BYE") + answer("200 OK")


def carrier(
    work: Path,
    invite: str = "",
    *,
    options: str = "200 OK",
    register: str = "",
    echo: bool = False,
    port: int = 0,
) -> Sipp:
    """A running one. ``options``: "" to leave them unanswered; ``echo``: what it hears it sends back."""
    parts = [
        '<recv request="OPTIONS" optional="true" next="1"/>\n',
        '<recv request="REGISTER" optional="true" next="2"/>\n',
        f'<recv request="INVITE"/>\n{invite or refuses("603 Decline")}<nop next="9"/>\n',
        f'<label id="1"/>\n{answer(options, tag="carrier") if options else ""}<nop next="9"/>\n',
        f'<label id="2"/>\n{answer(register or "501 Not Implemented", tag="carrier")}',
        '<label id="9"/>\n<nop/>\n',
    ]
    extra = ("-rtp_echo",) if echo else ()
    return Sipp(work, script(*parts), calls=50, extra=extra, port=port).listening()
