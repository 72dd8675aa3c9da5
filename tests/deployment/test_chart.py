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
GROUP = {
    "queues": ["bulk"], "threads": 1, "replicas": 1, "resources": {},
    "autoscaling": {"enabled": False, "asJobs": False, "minReplicas": 0, "maxReplicas": 1},
}  # fmt: skip
OBJECT_STORE = {"storage": {"basePath": "s3://bucket", "volume": {"enabled": False}}}
OPENSHIFT = {"podSecurityContext": {"runAsUser": None, "fsGroup": None}}
PROXY = {"console": {"enabled": True, "proxyNetworks": ["10.0.0.0/8"]}}
ODD: Mapping[str, Any] = {
    "listen": "::",
    "networkPolicy": {"egress": []},
    "console": {"enabled": True, "allowedHosts": ["*"]},
    "settings": {"LIMITS__MEMORY_BYTES": 8 * 2**30, "LOG_LEVEL": "DEBUG"},
    "podMonitor": {"enabled": True, "labels": {"release": "monitoring"}},
    "podSecurityContext": {"runAsUser": 1_000_680_000},
    "workers": {"prediction": {"resources": {"requests": {"cpu": "2500m"}}}},
}
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
    "odd": ODD,
}


def secret_settings(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Names of the settings whose values are hidden."""
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from secret_settings(field.annotation, f"{variable}__")
        elif SecretStr in {field.annotation, *get_args(field.annotation)}:
            yield variable


def rendered(values: Mapping[str, Any], *, name: str = "lexi") -> list[Manifest]:
    import helm_python

    with helm_python.Chart.load(CHART) as chart:
        chart.validate_schema(dict(values))
        files = chart.render(dict(values), name=name, namespace="ml")
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


def environment_of(manifests: list[Manifest], group: str) -> dict[str, str]:
    (template,) = (each for name, each in pods(manifests) if name.endswith(f"-{group}"))
    (container,) = template["spec"]["containers"]
    return {entry["name"]: entry["value"] for entry in container["env"]}


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


OF_OTHERS = ["AWS_SECRET_ACCESS_KEY", "OTEL_EXPORTER_OTLP_HEADERS", "FSSPEC_S3"]


@pytest.mark.parametrize("name", [*sorted(secret_settings(Settings)), *OF_OTHERS])
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


@pytest.mark.parametrize("values", VARIANTS.values(), ids=list(VARIANTS))
def test_a_setting_that_other_values_make_is_not_set_twice(values: dict[str, Any]) -> None:
    """Of two the last one counts, and `METRICS__PORT` would lead the probes to nobody."""
    import helm_python

    free = {
        "SANDBOX__PROCESSES", "SANDBOX__NATIVE_THREADS", "STORAGE__CACHE_BYTES", "LIMITS__IDLE_S",
        "METRICS__LINGER_S",
    }  # fmt: skip
    for _, template in pods(rendered(values)):
        for entry in template["spec"]["containers"][0]["env"]:
            name = entry["name"]
            if name in free | values.get("settings", {}).keys():
                continue
            with pytest.raises(helm_python.HelmValuesError, match=name):
                rendered({"settings": {name: "1"}})
    for name in ("METRICS__PORT", "METRICS__HOST", "CONSOLE__PORT"):
        with pytest.raises(helm_python.HelmValuesError, match=name):
            rendered({"settings": {name: "1"}})
    for manifest in rendered({**EVERYTHING, "settings": dict.fromkeys(free, 7)}):
        for _, template in pods([manifest]):
            names = [entry["name"] for entry in template["spec"]["containers"][0]["env"]]
            assert len(names) == len(set(names))


def test_large_numbers_are_written_as_settings_read_them() -> None:
    made = environment_of(rendered(ODD), "training")
    assert made["LIMITS__MEMORY_BYTES"] == str(8 * 2**30)


@pytest.mark.parametrize(("size", "cache"), [("10Gi", 5 * 2**30), ("3G", 1_500_000_000)])
def test_copies_leave_room_in_the_volume_whose_overflow_evicts_a_pod(size: str, cache: int) -> None:
    made = environment_of(rendered({"temporary": {"size": size}}), "prediction")
    assert made["STORAGE__CACHE_BYTES"] == str(cache)


def test_without_a_limit_a_group_uses_the_cores_it_asks_for_and_not_those_of_its_node() -> None:
    default = rendered({})
    assert environment_of(default, "training")["SANDBOX__PROCESSES"] == "2"
    made = environment_of(rendered(ODD), "prediction")
    assert (made["SANDBOX__PROCESSES"], made["SANDBOX__NATIVE_THREADS"]) == ("3", "1")
    limited = {"workers": {"training": {"resources": {"limits": {"cpu": 4}}}}}
    assert "SANDBOX__PROCESSES" not in environment_of(rendered(limited), "training")
    # Which has no tasks.
    assert "SANDBOX__PROCESSES" not in environment_of(default, "migrate")


@pytest.mark.parametrize("name", ["2026", "1e5", "true", "v1.2"])
def test_a_release_may_have_any_name(name: str) -> None:
    import kubernetes_validate

    manifests = rendered(EVERYTHING, name=name)
    for manifest in manifests:
        assert manifest["metadata"]["labels"]["app.kubernetes.io/instance"] == name
        # By https://kubernetes.io/docs/concepts/overview/working-with-objects/names/, of a Service.
        assert re.fullmatch(r"[a-z][a-z0-9-]{,61}[a-z0-9]", manifest["metadata"]["name"])
        if not manifest["apiVersion"].split("/")[0].endswith(("keda.sh", "coreos.com")):
            kubernetes_validate.validate(manifest, NEWEST, strict=True)


def test_probes_reach_pods_by_their_own_kind_of_address() -> None:
    for values, host in ((EVERYTHING, "0.0.0.0"), (ODD, "::")):
        made = rendered(values)
        assert environment_of(made, "prediction")["METRICS__HOST"] == host
        assert environment_of(made, "console")["CONSOLE__HOST"] == host


def test_a_node_can_be_drained_while_no_pod_is_ready() -> None:
    budgets = of_kind(rendered({}), "PodDisruptionBudget")
    assert len(budgets) == 3
    assert {each["spec"]["unhealthyPodEvictionPolicy"] for each in budgets} == {"AlwaysAllow"}


def test_a_monitor_has_the_labels_that_its_operator_looks_for() -> None:
    (monitor,) = of_kind(rendered(ODD), "PodMonitor")
    assert monitor["metadata"]["labels"]["release"] == "monitoring"


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
    # One that came for a task which another has done does not stay; a Deployment's would come back.
    assert environment_of(manifests, "training")["LIMITS__IDLE_S"] == "300"
    assert "LIMITS__IDLE_S" not in environment_of(manifests, "prediction")
    assert environment_of(rendered(EVERYTHING), "training")["METRICS__LINGER_S"] == "60"
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


def test_tables_may_have_an_owner_whom_no_worker_knows() -> None:
    """Of the role that workers have a Secret of their own says no more than the rows."""

    def secrets(manifests: list[Manifest]) -> dict[str, str]:
        return {
            name: volume["secret"]["secretName"]
            for name, template in pods(manifests)
            for volume in template["spec"]["volumes"]
            if "secret" in volume
        }

    made = rendered({"migrate": {"secretName": "owner"}, "secret": {"signMessages": True}})
    found = secrets(made)
    assert found.pop("Job lexi-lexiclass-migrate") == "owner"
    assert set(found.values()) == {"lexiclass-worker"}
    named = {name for name in environment_of(made, "migrate") if name.endswith("_FILE")}
    assert named == {"DATABASE_URI_FILE"}
    assert set(secrets(rendered({})).values()) == {"lexiclass-worker"}


@pytest.mark.parametrize(
    "values",
    [
        {"worker": {}},
        {"workers": {"training": {"thread": 3}}},
        {"workers": {"training": {"queues": ["trainings"]}}},
        {"console": {"enabled": "yes"}},
        {"settings": {"LOG LEVEL": "INFO"}},
        # No pod could work with these, though Kubernetes takes them.
        {"storage": {"volume": {"enabled": False}}},
        {"storage": {"basePath": "/srv/lexiclass"}},
        {"storage": {"basePath": "/data2"}},
        {"temporary": {"size": "a lot"}},
        {"workers": {"training": {"autoscaling": {"enabled": True, "minReplicas": 9}}}},
        # Their Deployments and jobs would have the names of others.
        {"workers": {"console": GROUP}},
        {"workers": {"migrate": GROUP}},
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
