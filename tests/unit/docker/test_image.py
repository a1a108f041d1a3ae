"""The Dockerfile by the rules that images are checked by, and the configurations that come with it."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.unit.docker.dockerfile import DOCKER, ROOT, Instruction, dockerfile
from voicegw.config import load_config

BUILD, FINAL = 0, 1
CONFIGURATIONS = sorted(
    path for path in DOCKER.rglob("voicegw*.yaml") if "helm" not in path.parts and "grafana" not in path.parts
)


@pytest.fixture(scope="module")
def stages() -> list[list[Instruction]]:
    return dockerfile((DOCKER / "Dockerfile").read_text())


def values(stage: list[Instruction], word: str) -> list[str]:
    return [one.value for one in stage if one.word == word]


def test_what_runs_has_no_root_no_compiler_and_no_lists_of_packages(stages: list[list[Instruction]]) -> None:
    assert len(stages) == 2
    final = stages[FINAL]
    user = values(final, "USER")[-1]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user), "by number, so that runAsNonRoot can see it"
    words = [one.word for one in final]
    assert words.index("USER") > max(index for index, word in enumerate(words) if word in ("RUN", "COPY"))
    installed = " ".join(values(final, "RUN"))
    assert not re.search(r"gcc|g\+\+|build-essential|-dev\b|\bpip\b|curl|wget|tini", installed)
    assert all("rm -rf /var/lib/apt/lists/*" in run for run in values(final, "RUN") if "apt-get" in run)
    assert values(final, "STOPSIGNAL") == ["SIGTERM"] and values(final, "HEALTHCHECK")
    for word in ("ENTRYPOINT", "CMD"):
        assert values(final, word)[-1].startswith("["), (
            "the server gets signals itself, there is no shell before it"
        )


def test_every_stage_installs_what_is_needed_and_nothing_more(stages: list[list[Instruction]]) -> None:
    for stage in stages:
        assert not values(stage, "ADD")
        for run in values(stage, "RUN"):
            if "apt-get install" in run:
                assert run.startswith("apt-get update &&") and "-y --no-install-recommends" in run
        for name in (*values(stage, "ENV"), *values(stage, "ARG")):
            assert not re.search(r"PASSWORD|SECRET|TOKEN", name)
    assert {stage[0].value.split()[0] for stage in stages} == {"python:${PYTHON}"}, "one base, by one argument"
    installs = [run for run in values(stages[BUILD], "RUN") if "pip install" in run]
    assert all("--require-hashes" in run or "--editable ." in run for run in installs)


def test_what_is_copied_is_there_and_is_not_ignored(stages: list[list[Instruction]]) -> None:
    ignored = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    assert ignored[0] == "*", "nothing is sent that is not named"
    sent = [line.removeprefix("!") for line in ignored if line.startswith("!")]
    for stage in stages:
        for value in values(stage, "COPY"):
            if "--from" in value:
                continue
            for source in value.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert any(fnmatch(source, one) or one.startswith(f"{source}/") for one in sent), source


def test_the_lock_of_the_image_is_that_of_the_server_and_more() -> None:
    def pins(name: str) -> dict[str, str]:
        return dict(re.findall(r"^([\w.-]+)(?:\[.*?\])?==([^\s;]+)", (ROOT / name).read_text(), re.MULTILINE))

    server, image = pins("requirements.lock"), pins("docker/requirements.lock")
    assert {name: image.get(name) for name in server} == server
    assert {"asyncpg", "redis", "hatchling", "editables"} <= image.keys()


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: str(path.relative_to(DOCKER)))
def test_every_configuration_is_one(path: Path) -> None:
    """Read by the server's own loader; what it writes goes where the container, or the unit, lets it."""
    config = load_config(path)
    place = "/var/lib/voicegw/" if "systemd" in path.parts else "/data/"
    written = (config.paths.recordings, config.paths.cache, config.paths.tools, config.paths.control)
    for one in (*written, config.store.spool):
        assert one.startswith(place), one
    assert config.api.key_file.startswith((place, "/run/secrets/")), "made at the first start, or mounted"
    if config.store.url.startswith("sqlite"):
        assert config.store.url.startswith(f"sqlite:///{place}")
    assert config.media.port_high - config.media.port_low + 1 >= 2 * config.limits.max_calls


@pytest.fixture
def peer() -> Iterator[tuple[socket.socket, int]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(20)
        yield listener, listener.getsockname()[1]


@pytest.mark.parametrize(("answer", "status"), [(b"SIP/2.0 200 OK\r\n", 0), (b"SIP/2.0 503 No\r\n", 0), (b"?", 1)])
def test_the_health_check_asks_by_sip(peer: tuple[socket.socket, int], answer: bytes, status: int) -> None:
    listener, port = peer
    asked: list[bytes] = []

    def serve() -> None:
        data, source = listener.recvfrom(4096)
        asked.append(data)
        listener.sendto(answer, source)

    server = threading.Thread(target=serve)
    server.start()
    command = [sys.executable, "-I", "-S", str(DOCKER / "healthcheck.py"), "127.0.0.1", str(port)]
    assert subprocess.run(command, timeout=60, check=False).returncode == status
    server.join()
    assert asked[0].startswith(b"OPTIONS sip:") and b"\r\nCSeq: 1 OPTIONS\r\n" in asked[0]
