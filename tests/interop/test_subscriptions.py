"""A phone that watches another one: sipp subscribes, is told and unsubscribes. There is no sound in this."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.sipp_peer import Sipp
from tests.interop.test_digest import DOMAIN, house

pytestmark = [pytest.mark.interop, pytest.mark.realtime]


def test_presence_is_told_to_a_phone_with_its_password(tmp_path: Path) -> None:
    with house(tmp_path, "anna", "rose") as server:
        values = {"watched": f"anna@{DOMAIN}", "user": f"anna@{DOMAIN}"}
        extra = ("-au", "anna", "-ap", "rose")
        with Sipp(tmp_path, "watcher", target=server.address, values=values, extra=extra) as sipp:
            sipp.passed()
    granted, over = sipp.distinct("SIP/2.0 200", "SUBSCRIBE")
    assert (granted.header("Expires"), over.header("Expires")) == ("600", "0")
    told, last = sipp.distinct("NOTIFY")
    assert told.header("Event") == "presence"
    assert told.header("Subscription-State").startswith("active;expires=")
    assert told.header("Content-Type") == "application/pidf+xml"
    assert "<basic>closed</basic>" in told.body
    assert last.header("Subscription-State") == "terminated;reason=timeout"


def test_a_stranger_is_told_nothing(tmp_path: Path) -> None:
    with house(tmp_path, "anna", "rose") as server:
        values = {"watched": f"anna@{DOMAIN}", "user": f"anna@{DOMAIN}"}
        extra = ("-au", "anna", "-ap", "tulip")
        with Sipp(tmp_path, "watcher", target=server.address, values=values, extra=extra, timeout_s=8) as sipp:
            assert sipp.process.wait(15) != 0
    assert not sipp.received("NOTIFY")
    assert not sipp.received("SIP/2.0 200")
