"""deploy/kubernetes/pool-*.json: every placeholder has a variable, and rendering gives a job that Kubernetes accepts.

`pip install prefect-kubernetes` adds the worker itself; without it, the rules of its job manifest are checked here.
"""

import asyncio
import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from prefect.server.schemas.actions import WorkPoolCreate
from prefect.utilities.templating import find_placeholders
from prefect.workers.base import BaseJobConfiguration

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/kubernetes"
COMPOSE = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
POOLS = {name: json.loads((FOLDER / f"pool-{name}.json").read_text()) for name in ("cpu", "gpu")}
OBJECTS = [one for path in (FOLDER, FOLDER / "helm") for file in sorted(path.glob("*.yaml"))
           for one in yaml.safe_load_all(file.read_text()) if "kind" in one]  # fmt: skip
NAMED = {(one["kind"], one["metadata"]["name"]): one for one in OBJECTS}
PREFECTS_OWN = {"parallelism": 1, "completions": 1}
"""Prefect's worker refuses a pod without these, which belong to the job; the server of Kubernetes drops them."""
each = pytest.mark.parametrize("pool", POOLS)


class Rendered(BaseJobConfiguration):
    """The fields that the worker of type `kubernetes` adds."""

    job_manifest: dict[str, Any]
    namespace: str
    stream_output: bool
    pod_watch_timeout_seconds: int
    job_watch_timeout_seconds: int | None = None


class Offline:
    """Stands for a client: a template that refers to a block or a variable of the server would call it, and fail."""


def rendered(pool, **values):
    template = copy.deepcopy(POOLS[pool])
    return asyncio.run(Rendered.from_template_and_values(template, values, client=Offline()))


def job(pool, **values):
    """Return the manifest as the server gets it: without Prefect's additions, and with a list of variables."""
    manifest = rendered(pool, name="a run", **values).job_manifest
    pod = manifest["spec"]["template"]["spec"]
    for key, value in PREFECTS_OWN.items():
        assert pod.pop(key) == value
    variables = pod["containers"][0].get("env") or {}
    pod["containers"][0]["env"] = [{"name": name, "value": value} for name, value in variables.items()]
    return manifest


@each
def test_every_placeholder_has_a_variable_and_every_variable_is_used(pool):
    used = {placeholder.name for placeholder in find_placeholders(POOLS[pool]["job_configuration"])}
    assert used == set(POOLS[pool]["variables"]["properties"])


@each
def test_the_prefect_server_takes_the_template_and_refuses_an_undeclared_variable(pool):
    WorkPoolCreate(name=pool, type="kubernetes", base_job_template=POOLS[pool])
    damaged = json.loads(json.dumps(POOLS[pool]).replace("{{ clone_claim }}", "{{ claim }}"))
    with pytest.raises(ValueError, match=r"undeclared variable.*claim"):
        WorkPoolCreate(name=pool, type="kubernetes", base_job_template=damaged)


@each
def test_variables_are_a_json_schema_whose_defaults_it_accepts(pool):
    schema = POOLS[pool]["variables"]
    jsonschema.Draft202012Validator.check_schema(schema)
    properties = schema["properties"]
    defaults = {name: one["default"] for name, one in properties.items() if "default" in one}
    jsonschema.validate(defaults, schema)
    assert all(one["title"] and one["description"] for one in properties.values())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**defaults, "backoff_limit": -1}, schema)


@each
@pytest.mark.parametrize("values", [{}, {"env": {"CGDMER_WORKERS": "2"}, "memory_limit": "8Gi", "image": "other:1"}])
def test_a_rendered_job_is_valid_for_kubernetes(pool, values):
    manifest = job(pool, **values)
    kubernetes_validate.validate(manifest, "1.37", strict=True)
    assert "{{" not in json.dumps(manifest)
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == values.get("image", f"cgdmer:{'cuda' if pool == 'gpu' else 'cpu'}")
    assert {"name": "CGDMER_WORKERS", "value": "2"} in container["env"] or not values


@each
def test_an_unknown_field_of_a_job_would_be_noticed(pool):
    manifest = job(pool)
    manifest["spec"]["template"]["spec"]["contaners"] = []
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, "1.37", strict=True)


@each
def test_a_pod_runs_the_flow_in_a_clone_without_root_and_with_a_limit(pool):
    pod = job(pool)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    service = COMPOSE["worker-cpu" if pool == "cpu" else "worker-gpu"]
    assert container["args"] == [service["command"][0], "prefect", "flow-run", "execute"]
    assert pod["securityContext"] == {"runAsNonRoot": True, "runAsUser": 10001, "fsGroup": 10001}
    assert container["securityContext"] == {"allowPrivilegeEscalation": False}
    assert "memory" in container["resources"]["limits"]
    assert container["resources"]["limits"].get("nvidia.com/gpu") == (1 if pool == "gpu" else None)
    assert pod["terminationGracePeriodSeconds"] == int(service["stop_grace_period"].removesuffix("s"))
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


@each
def test_every_name_that_a_pod_refers_to_exists_and_gives_the_variables_of_compose(pool):
    pod = job(pool)["spec"]["template"]["spec"]
    claims = [volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"] if "emptyDir" not in volume]
    assert claims
    assert all(("PersistentVolumeClaim", claim) in NAMED for claim in claims)
    given = {one["name"] for one in pod["containers"][0]["env"]}
    for source in pod["containers"][0]["envFrom"]:
        ((kind, reference),) = source.items()
        one = NAMED["ConfigMap" if kind == "configMapRef" else "Secret", reference["name"]]
        given |= set(one.get("data") or one["stringData"])
    service = COMPOSE["worker-cpu" if pool == "cpu" else "worker-gpu"]
    assert set(service["environment"]) - {"CGDMER_RAW_ROOT"} <= given
    assert {"MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"} <= given  # the worker adds Prefect's password
