"""The peers against one another, without voicegw: what these tests cannot hear, no other test here can."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.interop.baresip_peer import Baresip, dial, hang_up, listen, press
from tests.interop.namespace import Namespace
from tests.interop.pcap import write_dtmf_pcap
from tests.interop.pyvoip_peer import PyVoip
from tests.interop.rtp import RtpPeer
from tests.interop.sipp_peer import TOLD, Sipp
from tests.interop.sound import seconds_with, tone
from voicegw.testing.ports import free_port

pytestmark = [pytest.mark.interop, pytest.mark.realtime]


def test_baresip_hears_itself_through_the_echo_of_sipp(tmp_path: Path, namespace: Namespace) -> None:
    echo = Sipp(tmp_path, "uas_echo", extra=("-rtp_echo",), namespace=namespace)
    with echo, Baresip(tmp_path, namespace, tone(700, 20)) as baresip:
        uri = f"sip:echo@{namespace.address}:{echo.port}"
        events = baresip.do([*dial(uri), *listen(4), *press("42"), *hang_up()])
        echo.passed()
    assert seconds_with(baresip.heard(), 700) >= 2
    assert [event["param"] for event in events if event["type"] == "CALL_DTMF_START"] == ["4", "2"]


def test_sipp_calls_baresip_and_its_keys_arrive(tmp_path: Path, namespace: Namespace) -> None:
    with Baresip(tmp_path, namespace, tone(700, 20)) as baresip:
        baresip.do([])
        pcap = write_dtmf_pcap(tmp_path / "dtmf.pcap", "159#")
        values = {"pcap": str(pcap), "before_ms": "500", "after_ms": "3000"}
        target = f"{namespace.address}:{baresip.port}"
        with Sipp(tmp_path, "uac_dtmf", target=target, service="bare", values=values, namespace=namespace) as sipp:
            sipp.passed()
    assert re.findall(r"received event: '(.)' \(end=1\)", baresip.process.output) == list("159#")


def test_pyvoip_hears_itself_through_the_echo_of_sipp(tmp_path: Path) -> None:
    with Sipp(tmp_path, "uas_echo", extra=("-rtp_echo",)) as echo:
        with PyVoip(tmp_path, "call", ("127.0.0.1", echo.port), tone(700, 20), seconds=6) as pyvoip:
            assert pyvoip.result() == {"answered": True, "ended_by_peer": False}
        echo.passed()
    assert seconds_with(pyvoip.heard(), 700) >= 2


def test_sipp_calls_pyvoip_and_media_flows_both_ways(tmp_path: Path) -> None:
    """The RTP endpoint of the tests stands in for sipp's media: what each side plays, the other hears."""
    sipp_port = free_port()
    with (
        RtpPeer() as media,
        PyVoip(tmp_path, "answer", ("127.0.0.1", sipp_port), tone(700, 60), seconds=50) as pyvoip,
    ):
        pyvoip.ready()
        values = {"rtp_port": str(media.port), "hold_ms": TOLD}
        with Sipp(tmp_path, "uac_peer", target=f"127.0.0.1:{pyvoip.port}", port=sipp_port, values=values) as sipp:
            media.start(("127.0.0.1", sipp.answered_port()), tone(1000, 60))
            media.wait_heard(lambda heard: seconds_with(heard, 700) >= 2.5)
            media.wait_sent(4)
            sipp.tell()
            sipp.passed()
        assert pyvoip.result()["ended_by_peer"]
    assert seconds_with(media.heard(), 700) >= 2
    assert seconds_with(pyvoip.heard(), 1000) >= 2
