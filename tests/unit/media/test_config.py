from __future__ import annotations

import msgspec
import pytest

from voicegw.base.errors import ConfigError
from voicegw.media.config import MediaConfig


def test_the_defaults_are_valid_and_travel_to_the_worker() -> None:
    config = MediaConfig(port_low=20000)
    assert msgspec.json.decode(msgspec.json.encode(config), type=MediaConfig) == config


@pytest.mark.parametrize(
    "values",
    [
        {"port_low": 16385},
        {"port_low": 80},
        {"port_low": 30000, "port_high": 29000},
        {"port_high": 70000},
        {"jitter_start_ms": 10},
        {"jitter_max_ms": 500},
        {"max_legs": 0},
        {"latch_packets": 1},
        {"catch_up_frames": 0},
        {"tap_ms": 0},
        {"tap_ms": 50},
        {"tap_ms": 220},
        {"ear_level_dbov": 3},
        {"ear_level_dbov": -60},
    ],
)
def test_what_cannot_work_is_refused(values: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        MediaConfig(**values)  # type: ignore[arg-type]
