"""The Helm chart as Helm renders it, against the schemas of Kubernetes and what it says of us."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel, SecretStr

from lexiclass_core.queue_config import QueueName
from lexiclass_worker.config import Settings, list_variables
from tests.support.database import Database
from tests.unit.test_docs import check_command

pytestmark = pytest.mark.deployment

ROOT = Path(__file__).parents[2]
CHART = ROOT / "deploy" / "helm" / "lexiclass-worker"
OLDEST, NEWEST = "1.29", "1.35"
SETTINGS = {variable.name for variable in list_variables()}

Manifest = dict[str, Any]

SCALED = {
    "workers": {
        "training": {"autoscaling": {"enabled": True}},
        "prediction": {"autoscaling": {"enabled": True}},
    }
}
EVERYTHING: Mapping[str, Any] = {
    **SCALED,
    "image": {"digest": f"sha256:{'0' * 64}", "pullSecrets": [{"name": "registry"}]},
    "secret": {"signMessages": True, "signFiles": True},
    "settings": {"LOG_LEVEL": "DEBUG"},
    "console": {
        "enabled": True,
        "allowedHosts": ["ops.example"],
        "ingress": {
            "enabled": True, "host": "ops.example", "tlsSecret": "tls", "className": "nginx",
            "annotations": {"a": "b"},
        },
    },
    "networkPolicy": {
        "metricsFrom": [{"namespaceSelector": {}}], "consoleFrom": [{"podSelector": {}}],
    },
    "podMonitor": {"enabled": True},
    "storage": {"credentialsSecret": "s3", "volume": {"storageClassName": "nfs"}},
    "nodeSelector": {"a": "b"},
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
}  # fmt: skip
OBJECT_STORE = {"storage": {"basePath": "s3://bucket", "volume": {"enabled": False}}}
OPENSHIFT = {"podSecurityContext": {"runAsUser": None, "fsGroup": None}}
PROXY = {"console": {"enabled": True, "proxyNetworks": ["10.0.0.0/8"]}}
DOCUMENTED = yaml.safe_load(
    re.findall(
        r"^```yaml\n(.*?)^```", (ROOT / "docs/DEPLOYMENT.md").read_text(), re.DOTALL | re.MULTILINE
    )[0]
)
VARIANTS = {
    "default": {},
    "documented": DOCUMENTED,
    "scaled": SCALED,
    "everything": EVERYTHING,
    "object store": OBJECT_STORE,
    "openshift": OPENSHIFT,
    "proxy": PROXY,
}


def secret_settings(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Names of the settings whose values are hidden."""
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from secret_settings(field.annotation, f"{variable}__")
        elif SecretStr in {field.annotation, *get_args(field.annotation)}:
            yield variable


def rendered(values: Mapping[str, Any]) -> list[Manifest]:
    import helm_python

    with helm_python.Chart.load(CHART) as chart:
        chart.validate_schema(dict(values))
        files = chart.render(dict(values), name="lexi", namespace="ml")
    return [
        manifest
        for name, text in files.items()
        if name.endswith(".yaml")
        for manifest in yaml.safe_load_all(text)
        if manifest is not None
    ]


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """Name and template of every pod that is made."""
    for manifest in manifests:
        specification = manifest.get("spec", {})
        template = specification.get("template") or specification.get("jobTargetRef", {}).get(
            "template"
        )
        if template is not None:
            yield f"{manifest['kind']} {manifest['metadata']['name']}", template


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


@pytest.fixture(params=VARIANTS.values(), ids=list(VARIANTS))
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    return rendered(request.param)


@pytest.mark.parametrize("values", VARIANTS.values(), ids=list(VARIANTS))
def test_helm_finds_nothing_wrong(values: dict[str, Any]) -> None:
    import helm_python

    found = helm_python.lint(CHART, values, strict=True, kube_version=f"v{OLDEST}.0")
    assert found["errors"] == []
    assert [each for each in found["messages"] if each["severity"] > 1] == []


@pytest.mark.parametrize("name", [*sorted(secret_settings(Settings)), "AWS_SECRET_ACCESS_KEY"])
def test_no_secret_becomes_part_of_a_pod(name: str) -> None:
    import helm_python

    with pytest.raises(
        helm_python.HelmValuesError, match=f"invalid propertyName '{name}'"
    ) as error:
        rendered({"settings": {name: "postgresql://app:hunter2@db/app"}})
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_takes_every_manifest(manifests: list[Manifest], version: str) -> None:
    import kubernetes_validate

    for manifest in manifests:
        if manifest["apiVersion"].split("/")[0].endswith(("keda.sh", "coreos.com")):
            continue
        kubernetes_validate.validate(manifest, version, strict=True)
    # A job of KEDA's has the template of Kubernetes'.
    for job in of_kind(manifests, "ScaledJob"):
        kubernetes_validate.validate(
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": "job"},
                "spec": job["spec"]["jobTargetRef"],
            },
            version,
            strict=True,
        )


def test_every_pod_is_one_that_the_profile_restricted_admits(manifests: list[Manifest]) -> None:
    """By https://kubernetes.io/docs/concepts/security/pod-security-standards/."""
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral",
               "persistentVolumeClaim", "projected", "secret"}  # fmt: skip
    seen = dict(pods(manifests))
    assert len(seen) >= 4
    for name, template in seen.items():
        pod = template["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"].get("runAsUser") != 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert {key for volume in pod["volumes"] for key in volume if key != "name"} <= allowed
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["readOnlyRootFilesystem"] is True


def test_no_pod_has_a_token_or_variables_of_other_services(manifests: list[Manifest]) -> None:
    for _, template in pods(manifests):
        assert template["spec"]["enableServiceLinks"] is False
        assert template["spec"]["automountServiceAccountToken"] is False


def test_every_pod_runs_a_command_with_settings_that_exist(manifests: list[Manifest]) -> None:
    for _, template in pods(manifests):
        (container,) = template["spec"]["containers"]
        check_command(list(container["args"]))
        names = [entry["name"] for entry in container["env"]]
        assert len(names) == len(set(names))
        assert {name.removesuffix("_FILE") for name in names} <= SETTINGS
        assert {mount["name"] for mount in container["volumeMounts"]} == {
            volume["name"] for volume in template["spec"]["volumes"]
        }


def test_the_workers_serve_every_queue(manifests: list[Manifest]) -> None:
    served = [
        queue
        for _, template in pods(manifests)
        for option, queue in zip(
            template["spec"]["containers"][0]["args"],
            template["spec"]["containers"][0]["args"][1:],
            strict=False,
        )
        if option == "--queue"
    ]
    assert sorted(served) == sorted(QueueName)


def test_what_scales_asks_for_the_load_of_the_queues_it_serves(database_uri: str) -> None:
    manifests = rendered(SCALED)
    triggers = {
        manifest["kind"]: manifest["spec"]["triggers"][0]["metadata"]
        for kind in ("ScaledObject", "ScaledJob")
        for manifest in of_kind(manifests, kind)
    }
    with Database(database_uri) as database:
        for queue, count in (("training", 3), ("prediction", 2), ("bulk", 4)):
            database.execute(
                "INSERT INTO task (message_id, type, queue) "
                f"SELECT md5(random()::text), 't', '{queue}' FROM generate_series(1, {count})"
            )
        asked = {kind: database.value(trigger["query"]) for kind, trigger in triggers.items()}
    assert asked == {"ScaledObject": 6, "ScaledJob": 3}
    assert triggers["ScaledObject"]["targetQueryValue"] == "2"
    (job,) = of_kind(manifests, "ScaledJob")
    template = job["spec"]["jobTargetRef"]["template"]
    assert template["spec"]["containers"][0]["args"][-2:] == ["--max-tasks", "1"]
    assert template["spec"]["restartPolicy"] == "Never"
    # Whom it scales has no number of its own that each upgrade would put back.
    (scaled,) = (
        each for each in of_kind(manifests, "Deployment")
        if each["metadata"]["name"].endswith("-prediction")
    )  # fmt: skip
    assert "replicas" not in scaled["spec"]


def test_selectors_find_the_pods_of_their_group_and_no_other(manifests: list[Manifest]) -> None:
    labels = {name: template["metadata"]["labels"] for name, template in pods(manifests)}
    for kind in ("Deployment", "PodDisruptionBudget"):
        for manifest in of_kind(manifests, kind):
            wanted = manifest["spec"]["selector"]["matchLabels"].items()
            found = [name for name, each in labels.items() if wanted <= each.items()]
            assert found == [f"Deployment {manifest['metadata']['name']}"]
    for policy in of_kind(manifests, "NetworkPolicy"):
        wanted = policy["spec"]["podSelector"]["matchLabels"].items()
        assert all(wanted <= each.items() for each in labels.values())


def test_tables_are_upgraded_before_the_workers_of_a_release_start() -> None:
    (job,) = of_kind(rendered({}), "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert job["spec"]["template"]["spec"]["containers"][0]["args"] == ["db", "upgrade"]
    # Neither is there before the hook.
    assert "serviceAccountName" not in job["spec"]["template"]["spec"]
    assert not any(
        "persistentVolumeClaim" in each for each in job["spec"]["template"]["spec"]["volumes"]
    )


@pytest.mark.parametrize(
    "values",
    [
        {"worker": {}},
        {"workers": {"training": {"thread": 3}}},
        {"workers": {"training": {"queues": ["trainings"]}}},
        {"console": {"enabled": "yes"}},
        {"settings": {"LOG LEVEL": "INFO"}},
    ],
)
def test_values_that_mean_nothing_are_refused(values: dict[str, Any]) -> None:
    import helm_python

    with pytest.raises(helm_python.HelmError):
        rendered(values)


def test_the_chart_is_of_the_release() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == (ROOT / "VERSION").read_text().strip()
    assert re.fullmatch(r"\d+\.\d+\.\d+", chart["version"])
