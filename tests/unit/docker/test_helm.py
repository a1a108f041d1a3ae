"""The Helm chart, rendered: what Kubernetes would be given, and what the server would read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.docker.chart import Chart, ChartFailed
from tests.unit.docker.dockerfile import DOCKER
from tests.unit.docker.render_with_helm import PLACE, VALUES, ordered
from voicegw.config import Config, load_config
from voicegw.server_cluster_place import own_place

CHART = DOCKER / "helm" / "voicegw"
AGENT = "name: night\nsteps:\n  - hangup: Goodbye.\n"


def rendered(**values: Any) -> dict[str, dict[str, Any]]:
    """The objects by their kind; config maps by the end of their names."""
    found = Chart(CHART, values).objects()
    assert all(one["apiVersion"] and one["metadata"]["labels"] for one in found)
    return {
        one["metadata"]["name"].removeprefix("line-") if one["kind"] == "ConfigMap" else one["kind"]: one
        for one in found
    }


def configuration(work: Path, objects: dict[str, dict[str, Any]]) -> Config:
    path = work / "voicegw.yaml"
    path.write_text(objects["config"]["data"]["voicegw.yaml"])
    return load_config(path)


def container(objects: dict[str, dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    pod = objects["StatefulSet"]["spec"]["template"]["spec"]
    return pod, pod["containers"][0]


@pytest.mark.parametrize("name", VALUES)
def test_helm_renders_the_same(name: str) -> None:
    """What Helm itself made of the chart, judged by the schemas of Kubernetes: see ``render_with_helm``."""
    theirs = list(yaml.safe_load_all((PLACE / f"{name}.yaml").read_text()))
    assert ordered(Chart(CHART, VALUES[name]).objects()) == theirs, "python -m tests.unit.docker.render_with_helm"


def test_as_it_comes_it_is_a_configuration_and_a_hardened_pod(tmp_path: Path) -> None:
    objects = rendered()
    assert set(objects) == {"config", "agents", "trunks", "StatefulSet", "Service", "PodDisruptionBudget"}
    config = configuration(tmp_path, objects)
    assert config.store.url == "sqlite:////data/voicegw.sqlite" and config.drain.deadline_s == 1800
    pod, server = container(objects)
    assert pod["hostNetwork"] is True and pod["securityContext"]["runAsNonRoot"] is True
    assert server["securityContext"]["readOnlyRootFilesystem"] is True
    assert server["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    mounted = {one["name"] for one in server["volumeMounts"]}
    given = {one["name"] for one in pod["volumes"]} | {"data"}
    assert mounted == given
    assert {(one["hostPort"], one["protocol"]) for one in server["ports"]} >= {(5060, "UDP"), (5060, "TCP")}
    assert objects["StatefulSet"]["spec"]["replicas"] == 2
    selector = objects["StatefulSet"]["spec"]["selector"]["matchLabels"]
    assert selector.items() <= objects["StatefulSet"]["spec"]["template"]["metadata"]["labels"].items()


def test_readiness_is_admission_and_a_pod_that_goes_is_drained_first() -> None:
    pod, server = container(rendered(drain={"deadlineSeconds": 600}))
    assert server["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "api"}
    assert "api" in {one["name"] for one in server["ports"]}
    assert server["livenessProbe"]["exec"]["command"][-1] == "/opt/voicegw/healthcheck.py"
    assert server["lifecycle"]["preStop"]["exec"]["command"][:3] == ["voicegw", "drain", "--wait"]
    assert pod["terminationGracePeriodSeconds"] >= 600 + 30 + 63 + 20
    assert server["args"][-1] == server["lifecycle"]["preStop"]["exec"]["command"][-1]


def test_the_values_of_a_site_reach_the_server(tmp_path: Path) -> None:
    objects = rendered(
        sip={"port": 5080, "advertisedIp": "203.0.113.9"},
        agents={"night.yaml": AGENT},
        dialplan="routes:\n  - name: all\n    agent: night\n",
        trunks={"carrier.yaml": "name: carrier\nhosts: [192.0.2.1]\n"},
        config={"store": {"url": "postgresql://v:s@db/v"}, "transfer": {"ring_s": 20}},
        keySecret="sealing",
        nodeSelector={"voice": "yes"},
        envSecret="passwords",
    )
    config = configuration(tmp_path, objects)
    assert (config.sip.listen_port, config.sip.advertised_ip) == (5080, "203.0.113.9")
    assert config.store.url.startswith("postgresql:") and config.transfer.ring_s == 20
    assert config.store.spool == "/data/spool"
    assert config.paths.agents == "/etc/voicegw/agents"
    assert objects["agents"]["data"] == {"night.yaml": AGENT}
    assert yaml.safe_load(objects["config"]["data"]["dialplan.yaml"])["routes"][0]["agent"] == "night"
    pod, server = container(objects)
    assert pod["nodeSelector"] == {"voice": "yes"}
    assert server["envFrom"] == [{"secretRef": {"name": "passwords"}}]
    assert server["env"][0]["value"] == "127.0.0.1:5080"


def test_config_is_laid_over_what_the_chart_writes(tmp_path: Path) -> None:
    """Sections that the chart writes, too, are extended; what is given wins, also where it is false, 0 or empty."""
    tls = {"listen_host": "127.0.0.1", "behind_tls_proxy": False, "public_url": "https://voice.example"}
    given = {"sip": {"strangers": "refuse"}, "api": tls, "limits": {"drain_s": 0, "memory_mb": 900}}
    config = configuration(tmp_path, rendered(config=given, limits={"maxCalls": 50}))
    assert (config.sip.strangers, config.sip.listen_port) == ("refuse", 5060)
    assert (config.api.behind_tls_proxy, config.api.public_url) == (False, "https://voice.example")
    assert (config.api.listen_port, config.api.key_file) == (8080, "/data/secrets.key")
    assert (config.limits.drain_s, config.limits.memory_mb, config.limits.max_calls) == (0, 900, 50)


def test_each_pod_of_a_cluster_is_known_by_its_own_address(tmp_path: Path) -> None:
    objects = rendered(sip={"port": 5080}, config={"cluster": {"redis": "redis://redis:6379/0"}})
    config = configuration(tmp_path, objects)
    (told,) = (one for one in container(objects)[1]["env"] if "valueFrom" in one)
    assert told["valueFrom"] == {"fieldRef": {"fieldPath": "status.podIP"}}
    place = own_place(config, "machine", {told["name"]: "10.42.0.7"})
    assert (place.sip, place.api) == ("10.42.0.7:5080", "http://10.42.0.7:8080")


def test_pods_that_share_a_database_share_a_key(tmp_path: Path) -> None:
    """Of the group that Kubernetes gives mounted secrets to, which is the server's own."""
    shared = {"store": {"url": "postgresql://v@db/v"}}
    with pytest.raises(ChartFailed, match="keySecret"):
        rendered(config=shared)
    objects = rendered(config=shared, keySecret="sealing")
    pod, server = container(objects)
    (volume,) = (one for one in pod["volumes"] if "secret" in one)
    (mount,) = (one for one in server["volumeMounts"] if one["name"] == volume["name"])
    (item,) = volume["secret"]["items"]
    assert volume["secret"]["secretName"] == "sealing" and mount["readOnly"] is True
    assert configuration(tmp_path, objects).api.key_file == f"{mount['mountPath']}/{item['path']}"
    assert volume["secret"]["defaultMode"] == 0o440
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]


def test_the_pod_is_asked_by_tls_where_its_api_has_it() -> None:
    """Kubernetes does not check the certificate; asked in clear a pod would never be ready."""
    api = {"tls_cert": "/tls/chain.pem", "tls_key": "/tls/key.pem", "behind_tls_proxy": False}
    asked = container(rendered(config={"api": api}))[1]["readinessProbe"]["httpGet"]
    assert asked == {"path": "/readyz", "port": "api", "scheme": "HTTPS"}


@pytest.mark.parametrize(("kind", "name"), [("hpa", "HorizontalPodAutoscaler"), ("keda", "ScaledObject")])
def test_it_scales_by_calls(kind: str, name: str) -> None:
    objects = rendered(autoscaling={"kind": kind, "callsPerPod": 80})
    spec = objects[name]["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "line"}
    assert "replicas" not in objects["StatefulSet"]["spec"], "one of the two decides"
    if kind == "hpa":
        metric = spec["metrics"][0]["pods"]
        assert metric["metric"]["name"] == "voicegw_calls_active" and metric["target"]["averageValue"] == "80"
        behavior = spec["behavior"]
    else:
        query = 'sum(voicegw_calls_active{namespace="voice", pod=~"line-[0-9]+"})'
        assert spec["triggers"][0]["metadata"]["query"] == query
        assert "cooldownPeriod" not in spec, "it counts for the way to no pod at all, and we keep some"
        behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 900
    assert behavior["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 60}]


def test_the_pods_are_found_and_scraped_with_what_the_autoscaler_asks_for() -> None:
    """The job of docker/prometheus/kubernetes.yml against the labels and ports of the chart's pods."""
    (job,) = yaml.safe_load((DOCKER / "prometheus/kubernetes.yml").read_text())["scrape_configs"]
    kept = {one["source_labels"][0]: one["regex"] for one in job["relabel_configs"] if one["action"] == "keep"}
    objects = rendered()
    labels = objects["StatefulSet"]["spec"]["template"]["metadata"]["labels"]
    ports = [one["name"] for one in container(objects)[1]["ports"]]
    assert labels["app.kubernetes.io/name"] == kept["__meta_kubernetes_pod_label_app_kubernetes_io_name"]
    assert kept["__meta_kubernetes_pod_container_port_name"] in ports
    assert job["job_name"] == "voicegw" and job["authorization"]["credentials_file"], (
        "nobody is scraped without a key"
    )
    given = {one["target_label"] for one in job["relabel_configs"] if one["action"] == "replace"}
    assert given == {"namespace", "pod"}
    names = set(
        re.findall(
            r"(\w+)=",
            rendered(autoscaling={"kind": "keda"})["ScaledObject"]["spec"]["triggers"][0]["metadata"]["query"],
        )
    )
    assert names == given
