"""deploy/kubernetes: strict YAML, names that exist, and the commands, images and variables of docker/compose.yaml."""

import copy
import os
import re
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/kubernetes"
COMPOSE = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
AUTH = yaml.safe_load((ROOT / "docker/auth.yaml").read_text())["services"]
VERSIONS = {"ConfigMap": "v1", "Secret": "v1", "Service": "v1", "PersistentVolumeClaim": "v1", "Deployment": "apps/v1",
            "Job": "batch/v1"}  # fmt: skip


class Strict(yaml.SafeLoader):
    """A loader that refuses a key that occurs twice."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"{node.start_mark}: a key occurs twice in {keys}"
        return super().construct_mapping(node, deep)


OBJECTS = [one for path in sorted(FOLDER.glob("*.yaml")) for one in yaml.load_all(path.read_text(), Strict)]
NAMED = {(one["kind"], one["metadata"]["name"]): one for one in OBJECTS}
PODS = {name: one["spec"]["template"]["spec"] for (kind, name), one in NAMED.items() if kind in ("Deployment", "Job")}
CONTAINERS = {name: pod["containers"][0] for name, pod in PODS.items()}
SECRETS = {one["metadata"]["name"]: set(one["stringData"])
           for one in yaml.load_all((FOLDER / "helm/secrets.example.yaml").read_text(), Strict)}  # fmt: skip
each = pytest.mark.parametrize("name", CONTAINERS)


def test_a_key_that_occurs_twice_would_be_noticed():
    with pytest.raises(AssertionError, match="twice"):
        yaml.load("a: 1\na: 2", Strict)


def test_every_object_has_the_version_of_its_kind_and_a_name_of_its_own():
    assert len(NAMED) == len(OBJECTS)
    assert {one["kind"]: one["apiVersion"] for one in OBJECTS} == VERSIONS
    assert set(CONTAINERS) == {"prefect", "mlflow", "deploy", "deploy-gpu", "worker-cpu", "worker-gpu"}


@pytest.mark.parametrize("one", OBJECTS, ids=lambda one: f"{one['kind']} {one['metadata']['name']}")
def test_every_object_follows_the_schema_of_kubernetes_and_a_misspelt_key_would_not(one):
    kubernetes_validate.validate(one, "1.37", strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**copy.deepcopy(one), "sepc": {}}, "1.37", strict=True)


def test_pretraining_moves_to_the_gpus_after_all_deployments_were_registered():
    page = (ROOT / "docs/many_machines.md").read_text()
    steps = [
        re.findall(r"\S+\.yaml|job/\S+", line) for line in page.splitlines() if line.startswith("kubectl -n cgdmer ")
    ]
    order = [Path(word).name for words in steps for word in words]
    assert order.index("workers.yaml") < order.index("deploy") < order.index("gpu.yaml")
    assert "--all" in " ".join(CONTAINERS["deploy"]["args"])
    assert "--pool gpu" in " ".join(CONTAINERS["deploy-gpu"]["args"])


@each
def test_image_and_command_are_those_of_compose(name):
    container, service = CONTAINERS[name], COMPOSE[name]
    assert container["image"] == service["image"]
    words = container["args"][3:] if name == "mlflow" else container["args"]
    assert words == [str(word) for word in service["command"]]


@pytest.mark.parametrize("password", ["", "at least 12 characters"])
def test_mlflow_asks_for_a_password_if_its_secret_gives_one(password):
    shell, begin = CONTAINERS["mlflow"]["args"][:3], COMPOSE["mlflow"]["command"]
    variables = {"PATH": os.environ["PATH"], **({"MLFLOW_AUTH_ADMIN_PASSWORD": password} if password else {})}
    called = subprocess.run([*shell, "echo", *begin], env=variables, capture_output=True, text=True, check=True)
    assert called.stdout.split() == [*begin, *(["--app-name", "basic-auth"] if password else [])]


@each
def test_every_name_that_a_container_refers_to_exists(name):
    container = CONTAINERS[name]
    for source in container.get("envFrom", ()):
        if "secretRef" in source:  # without these Secrets, there are no passwords
            assert source["secretRef"]["name"] in SECRETS
            assert source["secretRef"]["optional"] is True
        else:
            assert ("ConfigMap", source["configMapRef"]["name"]) in NAMED
    for variable in container["env"]:
        if "valueFrom" in variable:
            reference = variable["valueFrom"]["secretKeyRef"]
            if reference.get("optional"):
                assert reference["key"] in SECRETS[reference["name"]]
            else:
                assert reference["key"] in NAMED["Secret", reference["name"]]["stringData"]
    volumes = {volume["name"]: volume for volume in PODS[name].get("volumes", ())}
    assert {mount["name"] for mount in container.get("volumeMounts", ())} == set(volumes)
    for volume in volumes.values():
        if claim := volume.get("persistentVolumeClaim"):
            assert ("PersistentVolumeClaim", claim["claimName"]) in NAMED
        if secret := volume.get("secret"):
            assert secret["secretName"] in SECRETS
            assert secret["optional"] is True


@each
def test_a_container_has_the_variables_of_its_compose_service(name):
    container = CONTAINERS[name]
    maps = [NAMED["ConfigMap", source["configMapRef"]["name"]]["data"]
            for source in container.get("envFrom", ()) if "configMapRef" in source]  # fmt: skip
    set_here = {variable["name"] for variable in container["env"]} | {key for one in maps for key in one}
    wanted = set(COMPOSE[name]["environment"]) - {"CGDMER_RAW_ROOT"}  # a cluster mounts no folder of local copies
    assert wanted <= set_here


def optional(container):
    """Return the variables that a container gets from Secrets that need not exist."""
    named = {variable["name"] for variable in container["env"]
             if variable.get("valueFrom", {}).get("secretKeyRef", {}).get("optional")}  # fmt: skip
    whole = (source["secretRef"]["name"] for source in container.get("envFrom", ()) if "secretRef" in source)
    return named | {key for name in whole for key in SECRETS[name]}


@each
def test_every_service_gets_the_passwords_that_compose_gives_it(name):
    wanted = set(AUTH[name]["environment"])
    assert optional(CONTAINERS[name]) == wanted - {"MLFLOW_AUTH_CONFIG_PATH", "PGPASSWORD"}
    literal = {variable["name"]: variable.get("value") for variable in CONTAINERS[name]["env"]}
    if "MLFLOW_AUTH_CONFIG_PATH" in wanted:
        (mount,) = CONTAINERS[name]["volumeMounts"]
        assert literal["MLFLOW_AUTH_CONFIG_PATH"] == f"{mount['mountPath']}/auth.ini"


@each
def test_no_container_runs_as_root_or_without_a_limit(name):
    assert PODS[name]["securityContext"]["runAsUser"] == 10001
    assert PODS[name]["securityContext"]["runAsNonRoot"] is True
    assert CONTAINERS[name]["securityContext"] == {"allowPrivilegeEscalation": False}
    assert "memory" in CONTAINERS[name]["resources"]["limits"]


def test_a_service_selects_a_deployment_and_has_the_port_of_its_container():
    for (kind, name), one in NAMED.items():
        if kind == "Service":
            labels = NAMED["Deployment", name]["spec"]["template"]["metadata"]["labels"]
            assert one["spec"]["selector"] == labels
            assert one["spec"]["ports"][0]["port"] == CONTAINERS[name]["ports"][0]["containerPort"]
        if kind == "Deployment":
            assert one["spec"]["selector"]["matchLabels"] == one["spec"]["template"]["metadata"]["labels"]


def test_the_example_holds_no_secret_and_git_ignores_the_real_file():
    secret = NAMED["Secret", "cgdmer"]["stringData"]
    assert all(not value or "PASSWORD@HOST" in value for value in secret.values())
    assert re.search(r"^/deploy/kubernetes/secret\.yaml$", (ROOT / ".gitignore").read_text(), re.MULTILINE)


@pytest.mark.parametrize("name", ["worker-cpu", "worker-gpu"])
def test_a_first_start_has_half_an_hour_for_its_clone(name):
    probe = CONTAINERS[name]["startupProbe"]
    assert probe["failureThreshold"] * probe["periodSeconds"] == 1800
    assert probe["httpGet"] == CONTAINERS[name]["livenessProbe"]["httpGet"]


@pytest.mark.parametrize("name", ["deploy", "deploy-gpu"])
def test_a_finished_job_is_removed_so_that_it_can_be_applied_again(name):
    assert NAMED["Job", name]["spec"]["ttlSecondsAfterFinished"] == 600
