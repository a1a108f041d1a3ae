"""Messages near the 64 kB that a datagram can hold, each long in another place: too big for files."""

from __future__ import annotations

from tests.unit.gateway.nodes import sdp
from tests.unit.sip.raw_peer import datagram

_SDP = sdp(4000, ip="198.51.100.4")


def _start(uri: str) -> bytes:
    return datagram("INVITE", start=f"INVITE {uri} SIP/2.0")


def _multipart(count: int) -> bytes:
    body = b"--b\r\n\r\nx\r\n" * count + b"--b--\r\n"
    return datagram("INVITE", "Content-Type: multipart/mixed;boundary=b", body=body)


LONG_MESSAGES: dict[str, bytes] = {
    "60 kB of angle brackets": datagram("INVITE", "Route: " + "<" * 60_000),
    "60 kB of attributes": datagram("INVITE", body=_SDP + b"a=x\r\n" * 12_000),
    "60 kB of commas": datagram("INVITE", "Route: " + "," * 60_000),
    "60 kB of digest parameters": datagram("INVITE", "Authorization: Digest " + "a=b," * 15_000),
    "60 kB of display name": datagram("INVITE", from_=f'From: "{"x" * 60_000}" <sip:a@b>;tag=x'),
    "60 kB of escapes": _start("sip:" + "%41" * 20_000 + "@192.0.2.2"),
    "60 kB of fmtp": datagram("INVITE", body=_SDP + b"a=fmtp:101 " + b"0-16," * 12_000 + b"\r\n"),
    "60 kB of folds": datagram("INVITE", "Subject: x" + "\r\n " * 20_000 + "y"),
    "60 kB of formats": datagram("INVITE", body=_SDP.replace(b" 0 8 101", b" 0" * 30_000)),
    "60 kB of media sections": datagram("INVITE", body=_SDP + b"m=a 1 b 0\r\n" * 5_000),
    "60 kB of method": datagram("X" * 30_000),
    "60 kB of one header": datagram("INVITE", "X-Long: " + "x" * 60_000),
    "60 kB of one header name": datagram("INVITE", "X" * 60_000 + ": y"),
    "60 kB of open quotes": datagram("INVITE", from_="From: " + '"' * 60_001 + " <sip:a@b>;tag=x"),
    "60 kB of option tags": datagram("INVITE", "Require: " + "a," * 30_000),
    "60 kB of parameters": datagram("INVITE", to="To: <sip:demo@192.0.2.2>" + ";a" * 30_000),
    "60 kB of parts": _multipart(6_000),
    "60 kB of quoted pairs": datagram("INVITE", from_='From: "' + "\\\\" * 30_000 + '" <sip:a@b>;tag=x'),
    "60 kB of routes": datagram("INVITE", "Route: " + ",".join(["<sip:h;lr>"] * 5_000)),
    "60 kB of spaces": datagram("INVITE", to="To:" + " " * 60_000 + "<sip:demo@192.0.2.2>"),
    "60 kB of URI headers": datagram("INVITE", contact="Contact: <sip:a@198.51.100.4?" + "a=b&" * 14_999 + "a=b>"),
    "60 kB of URI parameters": _start("sip:demo@192.0.2.2" + ";a" * 30_000),
    "60 kB of user part": _start("sip:" + "x" * 60_000 + "@192.0.2.2"),
    "60 kB of Vias": datagram("INVITE", "Via: " + ",".join(["SIP/2.0/UDP h;branch=x"] * 2_600)),
    "a CSeq of 10,000 digits": datagram("INVITE").replace(b"CSeq: 1 ", b"CSeq: " + b"9" * 10_000 + b" "),
    "a Content-Length of 10,000 digits": datagram("INVITE").replace(b"-Length: 0", b"-Length: " + b"9" * 10_000),
    "a port of 10,000 digits": datagram("INVITE", contact="Contact: <sip:a@b:" + "9" * 10_000 + ">"),
    "a status of 10,000 digits": datagram("INVITE").replace(
        b"INVITE sip:demo@192.0.2.2 SIP/2.0", b"SIP/2.0 " + b"9" * 10_000 + b" OK"
    ),
    "129 headers": datagram("INVITE", *[f"X-{number}: y" for number in range(121)]),
}
