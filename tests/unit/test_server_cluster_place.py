"""What a node says of itself to balancer and other nodes, by configuration and environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from voicegw.base.errors import ConfigError
from voicegw.config import Config, load_config
from voicegw.server_cluster_place import own_place

_REDIS = "redis://nowhere"
_OPEN = {"listen_host": "0.0.0.0", "listen_port": 8081, "behind_tls_proxy": True}


def configured(work: Path, cluster: dict[str, Any], **sections: Any) -> Config:
    path = work / "voicegw.yaml"
    path.write_text(yaml.safe_dump({"cluster": {"redis": _REDIS, **cluster}, **sections}))
    return load_config(path)


def test_it_is_what_is_configured(tmp_path: Path) -> None:
    """Whatever the environment says: what is written counts."""
    written = {"node": "a", "advertise": "10.0.0.11:5080", "api_url": "https://a.example", "host_env": "POD"}
    place = own_place(configured(tmp_path, written), "machine", {"POD": "10.1.2.3"})
    assert (place.name, place.sip, place.api) == ("a", "10.0.0.11:5080", "https://a.example")


@pytest.mark.parametrize(("address", "host"), [("10.0.0.9", "10.0.0.9"), ("2001:db8::7", "[2001:db8::7]")])
def test_it_is_what_it_listens_on_where_nothing_is_written(tmp_path: Path, address: str, host: str) -> None:
    config = configured(tmp_path, {}, sip={"listen_ip": address, "listen_port": 5070})
    place = own_place(config, "machine", {})
    assert (place.name, place.sip, place.api) == ("machine", f"{host}:5070", "http://127.0.0.1:8080")


@pytest.mark.parametrize(("address", "host"), [("10.1.2.3", "10.1.2.3"), ("2001:db8::7", "[2001:db8::7]")])
def test_it_is_an_address_of_its_environment(tmp_path: Path, address: str, host: str) -> None:
    """The file is the same for all nodes."""
    config = configured(tmp_path, {"host_env": "POD"}, sip={"listen_port": 5080}, api=_OPEN)
    place = own_place(config, "machine", {"POD": address})
    assert (place.sip, place.api) == (f"{host}:5080", f"http://{host}:8081")


@pytest.mark.parametrize(
    ("api", "url"),
    [
        ({"enabled": False}, ""),
        ({}, "http://127.0.0.1:8080"),
        ({**_OPEN, "public_url": "https://voice.example"}, "https://voice.example"),
    ],
)
def test_the_api_is_where_it_was(tmp_path: Path, api: dict[str, Any], url: str) -> None:
    """One that listens on loopback is not reached by the node's address, and a public one has its own."""
    assert own_place(configured(tmp_path, {"host_env": "POD"}, api=api), "machine", {"POD": "10.1.2.3"}).api == url


@pytest.mark.parametrize("environment", [{}, {"POD": ""}, {"POD": "a.example"}])
def test_an_address_that_is_none_is_refused(tmp_path: Path, environment: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="POD"):
        own_place(configured(tmp_path, {"host_env": "POD"}), "machine", environment)
