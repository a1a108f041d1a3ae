"""A real Prometheus with the configuration and the rules that we ship, at a faster pace."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from tests.interop.process import Process
from voicegw.testing.ports import free_port

DOCKER = Path(__file__).parents[2] / "docker"
_POLL_S = 0.1
_START_S = 30.0


class Prometheus(Process):
    """Scrapes one target every second, with its key."""

    def __init__(self, work: Path, target: str, key: str) -> None:
        home = work / "prometheus"
        home.mkdir()
        (home / "key").write_text(key)
        config = yaml.safe_load((DOCKER / "prometheus/prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(DOCKER / "prometheus/rules/*.yml")]
        (job,) = config["scrape_configs"]
        job["authorization"]["credentials_file"] = str(home / "key")
        job["static_configs"] = [{"targets": [target]}]
        (home / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.port = free_port()
        args = [f"--config.file={home / 'prometheus.yml'}", f"--storage.tsdb.path={home / 'data'}"]
        args += [f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"]
        super().__init__(["prometheus", *args], home / "prometheus.log", cwd=home)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression has now; fails on an error."""
        answer = self._get("query", query=expression)
        assert answer["status"] == "success", f"{expression}: {answer}"
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its health."""
        return [rule for group in self._get("rules")["data"]["groups"] for rule in group["rules"]]

    def wait_value(self, expression: str, at_least: float, within_s: float = 30.0) -> None:
        """Until an expression of one series is so large."""
        deadline = time.monotonic() + within_s
        while not (found := self._try(expression)) or float(found[0]["value"][1]) < at_least:
            assert self.running and time.monotonic() < deadline, f"{expression}: {found}\n{self.output}"
            time.sleep(_POLL_S)

    def _try(self, expression: str) -> list[dict[str, Any]]:
        try:
            return self.query(expression)
        except (OSError, ValueError):
            return []  # it is just starting

    def _get(self, what: str, **parameters: str) -> Any:
        url = f"http://127.0.0.1:{self.port}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=_START_S) as answer:
            return json.load(answer)
