"""docker/compose.yaml is valid and safe by default, and everything it starts exists."""

import re
from pathlib import Path

import pytest
import yaml
from compose_spec import PyCompose

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docker/compose.yaml").read_text()
CONTENT = yaml.safe_load(TEXT)
SERVICES = CONTENT["services"]
EXAMPLE = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / "docker/.env.example").read_text(), re.MULTILINE))
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])((?:[^{}]|\$\{[^{}]*\})*))?\}")
"""A default may hold a variable in turn."""
TELEMETRY = {"DO_NOT_TRACK", "DVC_NO_ANALYTICS", "GX_ANALYTICS_ENABLED", "HF_HUB_DISABLE_TELEMETRY",
             "MLFLOW_DISABLE_TELEMETRY", "PREFECT_SERVER_ANALYTICS_ENABLED"}  # fmt: skip


def filled(text: str) -> str:
    """Fill in variables as compose does: values of the example file, and `secret` for those it leaves empty."""
    return VARIABLE.sub(
        lambda match: EXAMPLE.get(match[1]) or ("secret" if match[2] == "?" else filled(match[3])), text
    )


def test_it_follows_the_compose_specification():
    merged = yaml.safe_dump(yaml.safe_load(filled(TEXT)), sort_keys=False)  # the parser knows no merge keys
    parsed = PyCompose.from_yaml(merged)
    assert set(parsed.service_names()) == set(SERVICES)


def test_a_misspelt_key_would_be_noticed():
    with pytest.raises(ValueError, match="heatlhcheck"):
        PyCompose.from_yaml(filled(yaml.safe_dump(CONTENT)).replace("healthcheck", "heatlhcheck", 1))


def test_the_services_of_a_whole_deployment_are_there():
    assert {"postgres", "prefect", "mlflow", "s3", "worker-cpu", "worker-gpu"} <= set(SERVICES)
    assert SERVICES["worker-gpu"]["profiles"] == ["gpu"]
    assert SERVICES["worker-gpu"]["image"] != SERVICES["worker-cpu"]["image"]


def test_secrets_have_no_default_and_say_what_to_set():
    secrets = {
        name for name in dict.fromkeys(match[0] for match in VARIABLE.findall(TEXT)) if "PASS" in name or "KEY" in name
    }
    assert secrets == {"POSTGRES_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY"}
    for name, kind, rest in VARIABLE.findall(TEXT):
        if name in secrets:
            assert kind == "?"
            assert "docker/.env" in rest
            assert EXAMPLE[name] == ""
    for line in TEXT.splitlines():
        if re.search(r"(PASSWORD|SECRET|ACCESS_KEY)\w*:", line):
            assert "${" in line, line
    assert "docker/.env" in (ROOT / ".gitignore").read_text()
    assert "docker/.env" in (ROOT / ".dockerignore").read_text()


def test_every_variable_is_explained_in_the_example():
    both = TEXT + (ROOT / "docker/auth.yaml").read_text()
    assert {match[0] for match in VARIABLE.findall(both)} == set(EXAMPLE)


def test_ports_are_bound_to_loopback():
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(published) == 3
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_images_are_pinned_by_version():
    for service in SERVICES.values():
        name, _, tag = filled(service["image"]).rpartition(":")
        assert name
        assert tag in ("cpu", "cuda") if name == "cgdmer" else re.search(r"\d+\.\d+", tag)
        assert ("build" in service) == (name == "cgdmer")


def test_images_of_the_example_are_the_defaults_so_that_digests_can_replace_them():
    defaults = {name: default for name, kind, default in VARIABLE.findall(TEXT) if name.endswith("_IMAGE")}
    assert defaults == {name: EXAMPLE[name] for name in ("PYTHON_IMAGE", "POSTGRES_IMAGE", "S3_IMAGE")}
    assert f"ARG PYTHON_IMAGE={EXAMPLE['PYTHON_IMAGE']}\n" in (ROOT / "docker/Dockerfile").read_text()
    for name in ("deploy", "worker-gpu"):
        assert SERVICES[name]["build"]["args"] == {"PYTHON_IMAGE": f"${{PYTHON_IMAGE:-{EXAMPLE['PYTHON_IMAGE']}}}"}


def test_what_waits_waits_for_health_or_completion():
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            one_shot = SERVICES[other].get("restart") == "no"
            assert how["condition"] == ("service_completed_successfully" if one_shot else "service_healthy"), name
        if service.get("restart") == "no":
            assert service["healthcheck"] == {"disable": True}
        elif not name.startswith("worker"):
            assert service["healthcheck"]["test"][0] == "CMD"
        else:
            assert "--with-healthcheck" in service["command"]


def test_the_image_turns_telemetry_off_for_every_service():
    dockerfile = (ROOT / "docker/Dockerfile").read_text()
    from flows import services

    assert set(services.TELEMETRY_OFF) == TELEMETRY
    for name, value in services.TELEMETRY_OFF.items():
        assert f"{name}={value}" in dockerfile
        assert all(name not in (service.get("environment") or {}) for service in SERVICES.values())


def test_the_prefect_server_has_the_settings_of_the_local_stack():
    from flows import services

    assert services.PREFECT_SERVER.items() <= SERVICES["prefect"]["environment"].items()


def test_volumes_are_declared_and_used_and_mounted_files_exist():
    mounts = [mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])]
    sources = [filled(mount) for mount in mounts if not mount.startswith("${")]
    named = {source for source in sources if not source.startswith(".")}
    assert named == set(CONTENT["volumes"])
    for source in set(sources) - named:
        assert (ROOT / "docker" / source).exists(), source
    assert (ROOT / "docker" / EXAMPLE["CGDMER_RAW_ROOT"]).is_dir()


def test_hosts_named_in_variables_are_services():
    hosts = {
        host for service in SERVICES.values() for host in re.findall(r"[/@]([a-z0-9]+):\d", yaml.safe_dump(service))
    }
    assert hosts <= set(SERVICES)
    assert {"postgres", "s3", "prefect", "mlflow"} <= hosts


def test_the_databases_the_servers_use_are_made():
    made = set(re.findall(r"CREATE DATABASE (\w+);", (ROOT / "docker/databases.sql").read_text()))
    used = set(re.findall(r"@postgres:5432/(\w+)", TEXT))
    assert made == used == {"prefect", "mlflow"}


def test_every_service_rotates_its_log_and_every_server_has_a_limit_of_memory():
    for name, service in SERVICES.items():
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name
    limited = {name for name, service in SERVICES.items() if "mem_limit" in service}
    assert limited == {"postgres", "s3", "prefect", "mlflow"}
