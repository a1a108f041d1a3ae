"""voicegw: a telephony-first voice agent server on SIP. The plan of the house is in docs/architecture.md."""

__version__ = "0.1.0"
