"""What deploy/kubernetes promises: held to kustomize, to Kubernetes' own schemas, and to the settings.

https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from bot.cli import build_parser
from bot.config import load_config, unknown_settings
from tests import ROOT
from tests.deploy_tools import GUNICORN_GRACEFUL_S, find_tool

FOLDER = ROOT / "deploy" / "kubernetes"
ALLOWED_VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"),
    *("persistentVolumeClaim", "projected", "secret"),
}
PRE_STOP_S = 10
Object = dict[str, Any]


@cache
def built(folder: str) -> tuple[Object, ...]:
    """What `kubectl apply -k` would send."""
    done = subprocess.run(
        [find_tool("kubectl"), "kustomize", FOLDER / folder],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return tuple(yaml.safe_load_all(done.stdout))


def objects(kind: str, folder: str = ".") -> dict[str, Object]:
    return {each["metadata"]["name"]: each for each in built(folder) if each["kind"] == kind}


def pods() -> dict[str, Object]:
    """The pods' templates, by the name of what makes them."""
    found = {**objects("Deployment"), **objects("Job", "migrate")}
    return {name: each["spec"]["template"] for name, each in found.items()}


def containers(pod: Object) -> Iterator[Object]:
    yield from pod["spec"].get("initContainers", [])
    yield from pod["spec"]["containers"]


def settings() -> dict[str, str]:
    """As the processes get them."""
    (found,) = objects("ConfigMap").values()
    data: dict[str, str] = found["data"]
    return data


PODS = ("tinygen-web", "tinygen-worker", "tinygen-migrate")


def test_these_are_all_the_pods() -> None:
    assert set(pods()) == set(PODS)


@pytest.mark.parametrize("folder", [".", "migrate"])
def test_every_object_is_one_of_kubernetes(folder: str) -> None:
    version = kubernetes_validate.latest_version()
    for each in built(folder):
        kubernetes_validate.validate(each, version, strict=True)


def test_no_secret_is_kept_in_the_files() -> None:
    assert objects("Secret") == objects("Secret", "migrate") == {}
    for pod in pods().values():
        (secret,) = [volume["secret"] for volume in pod["spec"]["volumes"] if "secret" in volume]
        assert secret["secretName"] == "tinygen"
        assert secret["defaultMode"] == 0o440


@pytest.mark.parametrize("name", PODS)
def test_a_pod_is_restricted_by_the_standard(name: str) -> None:
    pod = pods()[name]
    spec = pod["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & set(spec)
    assert all(set(volume) - {"name"} <= ALLOWED_VOLUMES for volume in spec["volumes"])
    for each in containers(pod):
        context = each["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert not {"privileged", "runAsUser", "seccompProfile", "procMount"} & set(context)
        assert not any("hostPort" in port for port in each.get("ports", []))


def test_the_namespace_refuses_pods_that_are_not_restricted() -> None:
    labels = objects("Namespace")["tinygen"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("name", PODS)
def test_a_pod_writes_to_its_volumes_alone_and_within_limits(name: str) -> None:
    pod = pods()[name]
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    for each in containers(pod):
        assert each["securityContext"]["readOnlyRootFilesystem"] is True
        assert {"requests", "limits"} <= set(each["resources"])
        assert "memory" in each["resources"]["limits"]
        writable = [mount for mount in each["volumeMounts"] if not mount.get("readOnly")]
        assert {mount["mountPath"] for mount in writable} == {"/data", "/tmp"}
        assert all("sizeLimit" in volumes[mount["name"]]["emptyDir"] for mount in writable)


@pytest.mark.parametrize("name", PODS)
def test_a_pod_speaks_to_no_part_of_kubernetes(name: str) -> None:
    spec = pods()[name]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["serviceAccountName"] in objects("ServiceAccount")
    assert objects("ServiceAccount")["tinygen"]["automountServiceAccountToken"] is False
    # They would be TINYGEN_… variables, and no settings.
    assert spec["enableServiceLinks"] is False


@pytest.mark.parametrize("name", PODS)
def test_each_container_runs_a_command_of_tinygen_s(name: str) -> None:
    pod = pods()[name]
    commands = [build_parser().parse_args(each["args"]).command.name for each in containers(pod)]
    assert commands[-1] == name.removeprefix("tinygen-")
    assert commands[:-1] in ([], ["migrate"])
    images = {each["image"] for each in containers(pod)}
    assert len(images) == 1


def test_the_settings_are_settings_and_fit_each_other() -> None:
    assert unknown_settings(settings(), None) == ()
    config = load_config({**settings(), "GITHUB_WEBHOOK_SECRET": "x" * 16}, None)
    worker = objects("Deployment")["tinygen-worker"]["spec"]
    places = worker["replicas"] * config.concurrency
    assert config.installation_concurrency == places * 3 // 4
    (host,) = [rule["host"] for rule in objects("Ingress")["tinygen"]["spec"]["rules"]]
    assert config.public_url == f"https://{host}"
    (data,) = [each for each in worker["template"]["spec"]["volumes"] if each["name"] == "data"]
    size_mb = int(data["emptyDir"]["sizeLimit"].removesuffix("Gi")) * 1024
    assert config.cache_mb * 1.5 < size_mb


def test_kubernetes_waits_longer_than_a_stop_takes() -> None:
    drain_s = int(settings()["TINYGEN_DRAIN_SECONDS"])
    assert pods()["tinygen-worker"]["spec"]["terminationGracePeriodSeconds"] > drain_s + 10
    web = pods()["tinygen-web"]["spec"]
    assert web["terminationGracePeriodSeconds"] > PRE_STOP_S + GUNICORN_GRACEFUL_S + 10
    assert web["containers"][0]["lifecycle"]["preStop"]["exec"]["command"] == [
        "sleep",
        str(PRE_STOP_S),
    ]


def test_web_pods_serve_while_no_worker_lives() -> None:
    (web,) = pods()["tinygen-web"]["spec"]["containers"]
    probes = {name: web[name]["httpGet"] for name in web if name.endswith("Probe")}
    assert set(probes) == {"startupProbe", "livenessProbe", "readinessProbe"}
    assert all(probe == {"path": "/healthz", "port": "http"} for probe in probes.values())
    (worker,) = pods()["tinygen-worker"]["spec"]["containers"]
    assert not any(name.endswith("Probe") for name in worker)


def selects(selector: Object, name: str) -> bool:
    labels = pods()[name]["metadata"]["labels"]
    return bool(selector.items() <= labels.items())


@pytest.mark.parametrize("name", ["tinygen-web", "tinygen-worker"])
def test_a_disruption_leaves_one_pod_of_each_kind(name: str) -> None:
    budget = objects("PodDisruptionBudget")[name]["spec"]
    chosen = [each for each in PODS if selects(budget["selector"]["matchLabels"], each)]
    assert chosen == [name]
    left = budget.get("minAvailable", 0) or (
        objects("Deployment")[name]["spec"]["replicas"] - budget["maxUnavailable"]
    )
    assert left == 1


def test_calls_reach_the_web_pods_alone_from_the_proxy_and_from_prometheus() -> None:
    service = objects("Service")["tinygen-web"]["spec"]
    assert [name for name in PODS if selects(service["selector"], name)] == ["tinygen-web"]
    policies = objects("NetworkPolicy")
    whole, web = policies["tinygen"]["spec"], policies["tinygen-web"]["spec"]
    assert set(whole["policyTypes"]) == {"Ingress", "Egress"}
    assert whole["podSelector"] == {}
    assert "ingress" not in whole
    assert [name for name in PODS if selects(web["podSelector"]["matchLabels"], name)] == [
        "tinygen-web"
    ]
    (rule,) = web["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": "http"}]
    assert all(set(source) == {"namespaceSelector"} for source in rule["from"])


def test_pods_reach_names_https_and_postgresql_and_not_the_cloud_s_metadata() -> None:
    names, outside = objects("NetworkPolicy")["tinygen"]["spec"]["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    assert {port["port"] for port in outside["ports"]} == {443, 5432}
    blocks = [target["ipBlock"] for target in outside["to"]]
    assert any("169.254.0.0/16" in block["except"] for block in blocks)


def test_the_ingress_lets_in_what_github_sends_and_waits_for_run() -> None:
    config = load_config({**settings(), "GITHUB_WEBHOOK_SECRET": "x" * 16}, None)
    annotations = objects("Ingress")["tinygen"]["metadata"]["annotations"]
    named = {name.rpartition("/")[2]: value for name, value in annotations.items()}
    assert int(named["proxy-body-size"].removesuffix("m")) > 25
    assert int(named["proxy-read-timeout"]) > config.run_wait_s
    assert named["proxy-request-buffering"] == named["proxy-buffering"] == "on"
