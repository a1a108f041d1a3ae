"""What each torture message gets: the one table of RFC 4475, RFC 5118 and our own corpus.

A number is the final status that its sender sees. A counter is all that is left of a message which gets no answer.
The user agent of these tests has no registrar and takes no MESSAGE, and its legs have IPv4 addresses.
"""

from __future__ import annotations

from tests.unit.gateway.torture import Reaction
from voicegw.sip.counters import SipCounter

MALFORMED, STRAY = SipCounter.MALFORMED, SipCounter.STRAY_RESPONSE

RFC4475: dict[str, Reaction] = {
    "badaspec.dat": 200,  # spaces inside the angle brackets: the intent is plain
    "badbranch.dat": 200,  # a branch of nothing but the cookie is matched like one of RFC 2543
    "baddate.dat": 200,  # Date means nothing to us
    "baddn.dat": 400,
    "badinv01.dat": 400,  # the answer goes by the top Via, which is readable
    "badvers.dat": 505,
    "bcast.dat": STRAY,
    "bext01.dat": 420,
    "bigcode.dat": MALFORMED,
    "clerr.dat": 400,
    "cparam01.dat": 405,
    "cparam02.dat": 405,
    "dblreq.dat": 405,  # the second request lies behind Content-Length and is cut
    "esc01.dat": 200,
    "esc02.dat": 501,
    "escnull.dat": 405,
    "escruri.dat": 400,
    "insuf.dat": MALFORMED,  # the headers that an answer copies are missing
    "intmeth.dat": 501,
    "inv2543.dat": 200,  # no branch, no tag: matched by the whole of RFC 2543's key
    "invut.dat": 415,
    "longreq.dat": 200,
    "ltgtruri.dat": 400,
    "lwsdisp.dat": 200,
    "lwsruri.dat": 400,
    "lwsstart.dat": 400,
    "mcl01.dat": 400,
    "mismatch01.dat": 400,
    "mismatch02.dat": 400,
    "mpart01.dat": 405,  # MESSAGE, which this node takes from nobody unless told to
    "multi01.dat": 400,
    "ncl.dat": 400,
    "noreason.dat": STRAY,
    "novelsc.dat": 416,
    "quotbal.dat": 400,
    "regaut01.dat": 405,
    "regbadct.dat": 400,
    "regescrt.dat": 405,
    "scalar02.dat": 400,
    "scalarlg.dat": MALFORMED,  # a response with an impossible CSeq
    "sdp01.dat": 406,  # a session whose answer it does not want to read
    "semiuri.dat": 200,
    "test.dat": MALFORMED,
    "transports.dat": 200,
    "trws.dat": 400,
    "unkscm.dat": 416,
    "unksm2.dat": 405,  # REGISTER, for which this node has no registrar
    "unreason.dat": STRAY,
    "wsinv.dat": 481,  # folds and spaces are read; its To tag names a dialog that we do not have
    "zeromf.dat": 483,  # a gateway passes calls on, so hops count
}
RFC5118: dict[str, Reaction] = {
    "ipv4-mapped-ipv6": 488,  # an address that no IPv4 leg can send to
    "ipv6-bad": 400,
    "ipv6-bug-abnf-3-colons": 400,
    "ipv6-correct-abnf-2-colons": 200,
    "ipv6-good": 405,
    "ipv6-in-sdp": 488,  # only IPv6 in the description, and our leg has IPv4
    "mult-ip-in-header": 481,  # its To tag names a dialog that we do not have
    "mult-ip-in-sdp": 200,
    "port-ambiguous": 405,
    "port-unambiguous": 405,
    "via-received-param-no-delim": 200,
    "via-received-param-with-delim": 481,
}
OWN_FILES: dict[str, Reaction] = {
    "ack-of-nothing.sip": SipCounter.STRAY_ACK,
    "bare-lf.sip": 200,  # the whole head uses it, so nothing can hide
    "branch-only-cookie.sip": 200,
    "bye-of-another.sip": 481,
    "bye-out-of-the-blue.sip": 481,
    "call-id-empty.sip": 400,
    "call-id-missing.sip": MALFORMED,
    "call-id-twice.sip": 400,
    "cancel-of-nothing.sip": 481,
    "contact-missing.sip": 200,
    "contact-port-99999.sip": 400,
    "contact-star.sip": 200,  # as without a Contact: we answer to where it came from
    "content-encoding-gzip.sip": 415,
    "content-length-40-digits.sip": 400,
    "content-length-negative.sip": 400,
    "content-length-too-long.sip": 400,
    "content-length-twice.sip": 400,
    "content-type-missing.sip": 200,
    "content-type-optional.sip": 200,
    "content-type-unknown.sip": 415,
    "cseq-largest.sip": 200,  # 2^31-1 is the last one allowed (RFC 3261 §8.1.1.5)
    "cseq-negative.sip": 400,
    "cseq-other-method.sip": 400,
    "cseq-over-31-bits.sip": 400,
    "cseq-over-32-bits.sip": 400,
    "fmtp-garbage.sip": 200,
    "from-missing.sip": MALFORMED,
    "from-unbalanced-quote.sip": 400,
    "from-without-tag.sip": 200,
    "header-space-before-colon.sip": 200,
    "header-without-colon.sip": 400,
    "header-without-name.sip": 400,
    "headers-129.sip": 400,
    "headers-compact.sip": 200,
    "headers-folded.sip": 200,
    "headers-odd-case.sip": 200,
    "headers-unknown-100.sip": 200,
    "http.sip": MALFORMED,
    "info-out-of-the-blue.sip": 481,
    "keep-alive-crlf.sip": SipCounter.KEEPALIVE,
    "keep-alive-nul.sip": SipCounter.KEEPALIVE,
    "latin-1-name.sip": 200,
    "leading-empty-lines.sip": 200,  # RFC 3261 §7.5
    "m-line-format-4294967296.sip": 488,  # the line is refused, the message is not
    "m-line-format-negative.sip": 488,
    "m-line-format-only-4294967296.sip": 488,
    "m-line-without-format.sip": 400,
    "max-forwards-0.sip": 483,
    "max-forwards-300.sip": 400,
    "max-forwards-missing.sip": 200,  # RFC 2543 had none
    "max-forwards-words.sip": 400,
    "message-out-of-the-blue.sip": 405,
    "method-lower-case.sip": 501,
    "method-unknown.sip": 501,
    "multipart-boundary-never-used.sip": 200,  # no part of it is an offer: ours goes into the 200
    "multipart-empty-boundary.sip": 400,
    "multipart-sdp-behind-isup.sip": 200,
    "multipart-without-boundary.sip": 400,
    "no-end-of-headers.sip": 400,
    "no-offer.sip": 200,  # ours goes into the 200
    "nothing-but-spaces.sip": SipCounter.KEEPALIVE,
    "notify-out-of-the-blue.sip": 481,
    "nul-in-header.sip": 400,  # header injection
    "one-byte.sip": MALFORMED,
    "options.sip": 200,
    "prack-out-of-the-blue.sip": 481,
    "proxy-require-unknown.sip": 200,  # we are no proxy
    "publish-out-of-the-blue.sip": 405,
    "record-route-mailto.sip": 400,  # without it a call would go past its proxies
    "record-route-port-99999.sip": 400,
    "refer-out-of-the-blue.sip": 403,
    "register-out-of-the-blue.sip": 405,  # this user agent has no registrar behind it
    "replaces-garbage.sip": 400,  # RFC 3891 §3
    "request-uri-port-99999.sip": 400,
    "require-unknown.sip": 420,
    "response-status-4294967301.sip": MALFORMED,
    "response-status-99.sip": MALFORMED,
    "response-to-nothing.sip": STRAY,
    "response-two-vias.sip": STRAY,  # not for us alone (RFC 3261 §8.1.3.3)
    "response-without-reason.sip": STRAY,
    "response-without-via.sip": MALFORMED,
    "route-garbage.sip": 400,
    "route-port-99999.sip": 400,
    "rtp.sip": MALFORMED,
    "rtpmap-without-number.sip": 200,
    "sdp-100-media-lines.sip": 488,
    "sdp-bare-lf.sip": 200,
    "sdp-host-name.sip": 488,  # a call does not wait for a resolver
    "sdp-multicast.sip": 488,
    "sdp-no-connection.sip": 488,
    "sdp-nul-bytes.sip": 400,
    "sdp-port-0.sip": 200,  # a call on hold from the beginning
    "sdp-port-99999.sip": 488,
    "sdp-port-negative.sip": 400,
    "start-line-lower-case-version.sip": 200,
    "start-line-missing-version.sip": MALFORMED,
    "start-line-version-7.sip": 505,
    "stray-cr-in-header.sip": 400,  # header injection
    "subscribe-out-of-the-blue.sip": 489,
    "tls-client-hello.sip": MALFORMED,
    "to-missing.sip": MALFORMED,
    "to-tag-of-nobody.sip": 481,
    "update-out-of-the-blue.sip": 481,
    "uri-empty-host.sip": 400,
    "uri-nul-escaped.sip": 200,
    "uri-percent-torn.sip": 200,
    "uri-scheme-mailto.sip": 416,
    "uri-tel.sip": 200,
    "uri-with-space.sip": 400,  # two readers could disagree about where it ends
    "utf-8-name.sip": 200,
    "via-empty.sip": MALFORMED,
    "via-host-name.sip": 200,  # answered without asking a resolver
    "via-maddr.sip": 200,  # and the answer goes to the source, not to maddr
    "via-missing.sip": MALFORMED,
    "via-port-0.sip": MALFORMED,
    "via-port-99999.sip": MALFORMED,  # no answer can be sent to it, and CPython 3.11 must not be asked to try
    "via-received-forged.sip": 200,  # and the answer goes to the source, not there
    "via-rport-99999.sip": MALFORMED,
    "via-second-port-99999.sip": 400,  # the top Via is fine, so an answer can be sent
    "via-twice-comma.sip": 200,
}
LONG: dict[str, Reaction] = {
    "129 headers": 400,
    "60 kB of URI headers": 200,
    "60 kB of URI parameters": 400,
    "60 kB of Vias": 200,
    "60 kB of angle brackets": 400,
    "60 kB of attributes": 488,
    "60 kB of commas": 200,
    "60 kB of digest parameters": 200,
    "60 kB of display name": 200,
    "60 kB of escapes": 200,
    "60 kB of fmtp": 200,
    "60 kB of folds": 200,
    "60 kB of formats": 488,  # as many as there are payload types are enough
    "60 kB of media sections": 488,
    "60 kB of method": 501,
    "60 kB of one header": 200,
    "60 kB of one header name": 200,
    "60 kB of open quotes": 400,
    "60 kB of option tags": 420,
    "60 kB of parameters": 400,  # 128 are enough for anybody
    "60 kB of parts": 200,  # 16 are looked at, none is an offer
    "60 kB of quoted pairs": 200,
    "60 kB of routes": 200,
    "60 kB of spaces": 200,
    "60 kB of user part": 200,
    "a CSeq of 10,000 digits": 400,
    "a Content-Length of 10,000 digits": 400,
    "a port of 10,000 digits": 400,
    "a status of 10,000 digits": MALFORMED,
}
