"""The chart as Helm itself renders it, written to ``tests/vectors/helm``: run it after the chart has changed.

It needs two packages that are too large for every run of the tests (``helm-python-sdk``, Helm's own Go code, and
``kubernetes-validate``, the schemas of Kubernetes): ``python -m tests.unit.docker.render_with_helm`` in an
environment that has them. :mod:`tests.unit.docker.test_helm` compares what it wrote with its own rendering.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

PLACE: Final = Path(__file__).parents[2] / "vectors" / "helm"
CHART: Final = Path(__file__).parents[3] / "docker" / "helm" / "voicegw"
VALUES: Final[dict[str, dict[str, Any]]] = {
    "as_it_comes": {},
    "hpa": {"autoscaling": {"kind": "hpa", "callsPerPod": 80}},
    "keda": {"autoscaling": {"kind": "keda", "callsPerPod": 80}},
    "site": {
        "sip": {"port": 5080, "advertisedIp": "203.0.113.9"},
        "agents": {"night.yaml": "name: night\nsteps:\n  - hangup: Goodbye.\n"},
        "dialplan": "routes:\n  - name: all\n    agent: night\n",
        "trunks": {"carrier.yaml": "name: carrier\nhosts: [192.0.2.1]\n"},
        "config": {
            "store": {"url": "postgresql://v:s@db/v"},
            "transfer": {"ring_s": 20},
            "sip": {"strangers": "refuse", "codecs": ["PCMA"]},
            "api": {"behind_tls_proxy": False, "tls_cert": "/tls/chain.pem", "tls_key": "/tls/key.pem"},
            "limits": {"drain_s": 0},
            "cluster": {"redis": "redis://redis:6379/0"},
        },
        "keySecret": "sealing",
        "nodeSelector": {"voice": "yes"},
        "envSecret": "passwords",
    },
}
_KUBERNETES: Final = ("1.25", "1.37")
_FOREIGN: Final = {"ScaledObject"}
"""Kinds of others, KEDA's, which the schemas of Kubernetes do not have."""


def ordered(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By kind and name: the order says nothing. Nor does the way in which the server's configuration is quoted."""
    for one in objects:
        if isinstance(text := one.get("data", {}).get("voicegw.yaml"), str):
            one["data"]["voicegw.yaml"] = yaml.safe_load(text)
    return sorted(objects, key=lambda one: (one["kind"], one["metadata"]["name"]))


def main() -> None:
    """Render, judge, write."""
    import kubernetes_validate
    from helm_python import Chart, helm_sdk_version, lint

    assert not [one for one in lint(str(CHART))["messages"] if one["severity"] > 1]
    PLACE.mkdir(parents=True, exist_ok=True)
    with Chart.load(CHART) as chart:
        for name, values in VALUES.items():
            rendered = chart.render(values=values, name="line", namespace="voice")
            objects = [one for text in rendered.values() for one in yaml.safe_load_all(text) if one]
            for one in objects:
                for version in _KUBERNETES if one["kind"] not in _FOREIGN else ():
                    kubernetes_validate.validate(one, version, strict=True)
            head = f"# By tests/unit/docker/render_with_helm.py, Helm {helm_sdk_version()}\n"
            text = yaml.safe_dump_all(ordered(objects), sort_keys=True, width=110)
            (PLACE / f"{name}.yaml").write_text(head + text)


if __name__ == "__main__":
    main()
