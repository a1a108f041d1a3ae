"""Targets and limits of transfers, and the configuration of supervision."""

from __future__ import annotations

from typing import Any

import pytest

from voicegw.base.causes import HangupCause
from voicegw.base.errors import ConfigError
from voicegw.call.supervision import SupervisionConfig, SupervisorInput
from voicegw.call.transfer import TargetConfig, TransferConfig
from voicegw.call.transfer_request import TransferFailure, failure_of, failure_of_status

DESK = TargetConfig("desk", "sip:desk@192.0.2.7", "attended")


def test_targets_are_names_or_uris() -> None:
    config = TransferConfig((DESK,))
    assert config.target("desk") is DESK
    assert config.target("sip:x@192.0.2.9") == TargetConfig("sip:x@192.0.2.9", "sip:x@192.0.2.9")
    assert config.target("nobody") is None
    number = config.target("+49 30 123")
    assert number is not None and number.destination == "tel:+4930123"


def test_a_target_may_be_a_number_of_a_trunk() -> None:
    assert TargetConfig("desk", "+49 30 123").destination == "tel:+4930123"
    assert TargetConfig("desk", "+4930123", trunk="pbx").destination == "tel:+4930123;tgrp=pbx"


UNFIT = [{"uri": "desk"}, {"uri": "sip:a@b", "trunk": "t"}, {"uri": "sip:a@b", "kind": "magic"}]


@pytest.mark.parametrize("values", UNFIT)
def test_targets_that_cannot_work_are_refused(values: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        TargetConfig("desk", **values)


@pytest.mark.parametrize("values", [{"ring_s": 0.0}, {"refer_s": -1.0}, {"reassure_s": 0.0}, {"ringback": "mars"}])
def test_limits_that_cannot_work_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        TransferConfig(**values)


@pytest.mark.parametrize(
    "values", [{"listen_key": "2"}, {"barge_key": "x"}, {"prefix": ""}, {"prefix": "a+b"}, {"takeover_key": ""}]
)
def test_supervision_that_cannot_work_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        SupervisionConfig(**values)


def test_the_keys_of_a_supervisor() -> None:
    assert SupervisionConfig().keys["4"] is SupervisorInput.TAKE_OVER


def test_why_a_target_did_not_come() -> None:
    assert failure_of(HangupCause.PEER_REJECTED, 486) is TransferFailure.BUSY
    assert failure_of(HangupCause.PEER_REJECTED, 500) is TransferFailure.REFUSED
    assert failure_of(HangupCause.MEDIA_LOST, 0) is TransferFailure.FAILED
    assert failure_of_status(480) is TransferFailure.NO_ANSWER
    assert failure_of_status(0) is TransferFailure.FAILED
