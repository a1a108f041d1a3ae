"""The compose files: known keys, files that are there, addresses that fit, hardened services."""

from __future__ import annotations

import ipaddress
import re
from pathlib import PurePosixPath
from typing import Any

import pytest
import yaml

from tests.unit.docker.dockerfile import DOCKER
from tests.unit.docker.files import compose
from tests.unit.docker.mounts import Mount, made_first, mounts, without_a_place
from voicegw.config import load_config
from voicegw.gateway.trunk_files import load_trunks

FILES = ("compose.yaml", "compose.full.yaml", "compose.gpu.yaml", "compose.ports.yaml")
TOP = {"name", "services", "networks", "volumes", "secrets"}
SERVICE = {
    *("image", "build", "command", "environment", "volumes", "ports", "networks", "network_mode", "hostname"),
    *("init", "restart", "read_only", "user", "cap_drop", "security_opt", "tmpfs", "stop_grace_period", "ulimits"),
    *("logging", "env_file", "depends_on", "healthcheck", "deploy", "ipc", "secrets"),
}
"""Of the Compose specification, those that are in use here: a typing error is none of them."""
PORT = re.compile(r"(?:[\d.]+:)?(\d+)(?:-(\d+))?:(\d+)(?:-(\d+))?/(?:udp|tcp)")


def services(name: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose(name)["services"]
    return found


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_one_of_compose(name: str) -> None:
    document = compose(name)
    assert {key for key in document if not key.startswith("x-")} <= TOP
    named_volumes = set(document.get("volumes") or {})
    for service, body in document["services"].items():
        assert set(body) <= SERVICE, service
        assert name == "compose.ports.yaml" or "image" in body or "build" in body
        for other in body.get("depends_on", {}):
            assert "healthcheck" in document["services"][other], f"{service} waits for {other}"
        for port in body.get("ports", ()):
            match = PORT.fullmatch(port)
            assert match, port
            low, high, inside_low, inside_high = match.groups()
            assert int(high or low) - int(low) == int(inside_high or inside_low) - int(inside_low)
        for volume in body.get("volumes", ()):
            source, target, *mode = volume.split(":")
            assert target.startswith("/") and mode in ([], ["ro"])
            if source.startswith("."):
                assert mode == ["ro"], f"{service}: {source} can be written to"
            else:
                assert name == "compose.ports.yaml" or source in named_volumes, f"{service}: {source}"


@pytest.mark.parametrize("name", FILES)
def test_what_is_mounted_is_there_and_has_a_place(name: str) -> None:
    """Docker makes a directory of a source that is missing, and starts nothing where a place is missing."""
    document, made = compose(name), made_first()
    for service in document["services"]:
        found = mounts(document, service)
        assert len({one.target for one in found}) == len(found), f"{service}: two at one place"
        for one in found:
            assert one.source is None or one.source.exists() or one.source in made, f"{service}: {one.source}"
        assert without_a_place(found) == [], service


def test_a_mount_point_that_nobody_can_make_is_found() -> None:
    """As /etc/prometheus/voicegw.key was."""
    outer = Mount(PurePosixPath("/etc/prometheus"), DOCKER / "prometheus", True)
    key = Mount(PurePosixPath("/etc/prometheus/voicegw.key"), DOCKER / "secrets/key", True)
    rules = Mount(PurePosixPath("/etc/prometheus/rules"), None, False)
    assert without_a_place([outer, key, rules]) == ["/etc/prometheus/voicegw.key in /etc/prometheus"]
    assert without_a_place([Mount(outer.target, outer.source, False), key, rules]) == []


@pytest.mark.parametrize("name", FILES[:3])
def test_the_server_is_locked_in_and_has_time_to_drain(name: str) -> None:
    for service, body in services(name).items():
        if body.get("image") != "voicegw:latest":
            assert not body.get("privileged")
            continue
        assert body["read_only"] and body["cap_drop"] == ["ALL"] and body["init"], service
        assert body["security_opt"] == ["no-new-privileges:true"] and body["user"] == "10001:10001"
        assert (DOCKER / body["build"]["context"] / body["build"]["dockerfile"]).is_file()
        (configuration,) = (one.split(":")[0] for one in body["volumes"] if one.endswith("voicegw.yaml:ro"))
        config = load_config(DOCKER / configuration)
        assert int(body["stop_grace_period"].removesuffix("s")) >= config.limits.drain_s + 30


def test_only_this_machine_reaches_what_has_no_tls_of_its_own() -> None:
    for name in FILES:
        for service, body in services(name).items():
            for port in body.get("ports", ()):
                telephony = service == "voicegw" and not port.endswith(":8080/tcp")
                assert telephony or port.startswith("127.0.0.1:"), f"{name}: {service}: {port}"


def test_published_ports_are_those_of_the_configuration() -> None:
    config = load_config(DOCKER / "ports/voicegw.yaml")
    ports = services("compose.ports.yaml")["voicegw"]["ports"]
    low, high = config.media.port_low, config.media.port_high
    assert (
        f"{low}-{high}:{low}-{high}/udp" in ports
        and f"{config.sip.listen_port}:{config.sip.listen_port}/udp" in ports
    )
    assert config.sip.advertised_ip


def test_the_addresses_of_the_full_one_fit_together() -> None:
    document = compose("compose.full.yaml")
    subnet = ipaddress.ip_network(document["networks"]["voice"]["ipam"]["config"][0]["subnet"])
    fixed = {
        name: body["networks"]["voice"]["ipv4_address"]
        for name, body in document["services"].items()
        if isinstance(body["networks"], dict)
    }
    assert len(set(fixed.values())) == len(fixed)
    assert all(ipaddress.ip_address(one) in subnet for one in fixed.values())
    nodes = re.findall(r"^1 sip:([\d.]+):5060", (DOCKER / "full/dispatcher.list").read_text(), re.MULTILINE)
    assert nodes == [fixed["voicegw-a"], fixed["voicegw-b"]]
    trunks = load_trunks(DOCKER / "full/trunks", {})
    assert trunks["kamailio"].settings.hosts == (fixed["kamailio"],)
    assert trunks["asterisk"].settings.hosts == (fixed["asterisk"],)
    for name in ("a", "b"):
        config = load_config(DOCKER / f"full/voicegw-{name}.yaml")
        here = fixed[f"voicegw-{name}"]
        assert (config.cluster.node, config.cluster.advertise) == (name, f"{here}:5060")
        assert (config.cluster.redis, config.cluster.api_url) == ("redis://redis:6379/0", f"http://{here}:8080")
    password = document["services"]["postgres"]["environment"]["POSTGRES_PASSWORD"].partition(":-")[2].rstrip("}")
    assert config.store.url == f"postgresql://voicegw:{password}@postgres:5432/voicegw"


def test_every_node_of_the_full_one_is_scraped() -> None:
    (job,) = yaml.safe_load((DOCKER / "prometheus/prometheus.yml").read_text())["scrape_configs"]
    (group,) = job["static_configs"]
    nodes = [name for name in services("compose.full.yaml") if name.startswith("voicegw-")]
    ports = {name: load_config(DOCKER / f"full/{name}.yaml").api.listen_port for name in nodes}
    assert group["targets"] == [f"{name}:{port}" for name, port in ports.items()]
    mounted = [str(one.target) for one in mounts(compose("compose.full.yaml"), "prometheus")]
    assert job["authorization"]["credentials_file"] in mounted


def test_the_server_of_speech_can_read_audio_and_waits_for_the_other_one() -> None:
    """vLLM's own image has no ``vllm[audio]``; two that start at once on one GPU mistake each other's memory."""
    found = services("compose.gpu.yaml")
    base, audio = re.findall(r":v([\d.]+)|\[audio\]==([\d.]+)", found["speech"]["build"]["dockerfile_inline"])
    assert base[0] == audio[1] == found["chat"]["image"].partition(":v")[2]
    assert found["speech"]["image"] != found["chat"]["image"]
    assert found["speech"]["depends_on"] == {"chat": {"condition": "service_healthy"}}


@pytest.mark.parametrize(("name", "home"), [("compose.yaml", "host"), ("compose.gpu.yaml", "gpu")])
def test_trunks_and_passwords_of_a_single_server_have_a_place(name: str, home: str) -> None:
    server = services(name)["voicegw"]
    config = load_config(DOCKER / home / "voicegw.yaml")
    assert f"./host/trunks:{config.paths.trunks}:ro" in server["volumes"]
    assert server["env_file"] == [{"path": "./host/environment", "required": False}]
    assert "docker/host/environment" in (DOCKER.parent / ".gitignore").read_text().splitlines()
    assert load_trunks(DOCKER / "host/trunks", {}) == {}


def test_the_models_of_the_gpu_one_are_where_the_server_looks_for_them() -> None:
    found, config = services("compose.gpu.yaml"), load_config(DOCKER / "gpu/voicegw.yaml")
    (chat,) = config.llm.servers
    for service, url, model in (
        ("chat", chat.base_url, chat.model),
        ("speech", config.transcription.base_url, config.transcription.model),
    ):
        port = found[service]["ports"][0].split(":")[1]
        assert url == f"http://127.0.0.1:{port}/v1"
        assert f"--served-model-name={model}" in found[service]["command"]
