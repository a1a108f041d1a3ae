"""The systemd unit, judged by systemd itself."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.docker.dockerfile import DOCKER
from voicegw.config import load_config

UNIT = DOCKER / "systemd" / "voicegw.service"


@pytest.fixture
def analyze() -> str:
    program = shutil.which("systemd-analyze")
    assert program, "systemd-analyze is missing: scripts/test installs it (Debian package systemd)"
    return program


def test_systemd_finds_nothing_wrong(tmp_path: Path, analyze: str) -> None:
    """With a program that is there in place of ours."""
    copy = tmp_path / UNIT.name
    copy.write_text(re.sub(r"/opt/voicegw/\.venv/bin/voicegw", "/bin/true", UNIT.read_text()))
    done = subprocess.run([analyze, "verify", str(copy)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and UNIT.name not in done.stderr, done.stderr


def test_a_server_that_is_taken_over_can_do_little(analyze: str) -> None:
    command = [analyze, "security", "--offline=true", "--no-pager", "--threshold=20", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-300:]


def test_passwords_that_trunks_name_have_a_place_and_need_not_be_there() -> None:
    assert "EnvironmentFile=-/etc/voicegw/environment" in UNIT.read_text().splitlines()


def test_it_has_time_to_drain() -> None:
    stop_s = int(re.findall(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)[0])
    assert stop_s >= load_config(DOCKER / "systemd/voicegw.yaml").limits.drain_s + 30
