"""Every program, subcommand and option in docker/compose.yaml exists in the installed versions."""

import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import yaml
from botocore.exceptions import ParamValidationError
from support.console_help import help_text

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SERVICES = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
FOREIGN = {"postgres", "s3"}
"""Services whose images this project does not build."""
pytestmark = pytest.mark.xdist_group("docker_commands")


def simple(words: list[str]) -> Iterator[list[str]]:
    """Yield the commands inside a compose command: without in_clone.sh, and `a && b` as two commands."""
    words = [str(word) for word in words]
    if words[0].endswith("in_clone.sh"):
        words = words[1:]
    if words[:2] == ["sh", "-c"]:
        for part in words[2].split("&&"):
            yield part.split()
    else:
        yield words


COMMANDS = sorted(
    {
        tuple(command)
        for name, service in SERVICES.items()
        if name not in FOREIGN
        for words in [service["command"], service.get("healthcheck", {}).get("test", ["CMD"])[1:]]
        if words
        for command in simple(words)
    }
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:4]))
def test_a_command_exists_with_its_options(command):
    program, *rest = command
    assert (BIN / program).exists(), program
    if program == "python":
        _python(rest)
        return
    before = list(itertools.takewhile(_option, rest))
    subcommands = list(itertools.takewhile(lambda word: not _option(word), rest[len(before) :]))
    output = help_text(program, *subcommands[:2])
    for option in filter(_option, rest[len(before) :]):
        assert re.search(rf"{option}\b", output), f"{program} {' '.join(subcommands)} has no {option}\n{output}"
    assert set(before) <= {"--no-prompt"}, "an option before the subcommand"


def _option(word: str) -> bool:
    return word.startswith("--")


def _python(rest: list[str]) -> None:
    if rest[0] == "-m":
        assert (ROOT / (rest[1].replace(".", "/") + ".py")).is_file(), rest[1]
    else:
        assert (ROOT / rest[0].removeprefix("/opt/cgdmer/")).is_file(), rest[0]


def test_all_our_services_say_what_they_run():
    assert len(COMMANDS) >= 8
    assert all("command" in service for name, service in SERVICES.items() if name not in FOREIGN)


def test_scripts_are_sound():
    assert os.access(ROOT / "docker/in_clone.sh", os.X_OK)
    subprocess.run(["sh", "-n", ROOT / "docker/in_clone.sh"], check=True)
    for path in sorted((ROOT / "docker").glob("*.py")):
        compile(path.read_text(), path, "exec")


def test_in_clone_says_what_is_missing():
    variables = {"PATH": os.environ["PATH"], "CGDMER_REPOSITORY": "/repository"}
    done = subprocess.run(
        [ROOT / "docker/in_clone.sh", "true"], capture_output=True, text=True, env=variables, check=False
    )
    assert done.returncode != 0
    assert "CGDMER_DVC_URL" in done.stderr


def test_in_clone_clones_once_and_keeps_the_key_out_of_files(tmp_path):
    source = tmp_path / "source"
    for name in (".dvc/config", ".dvc/.gitignore"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    git = ["git", "-C", str(source), "-c", "user.email=t@example.org", "-c", "user.name=t"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True)
    variables = os.environ | {
        "PATH": f"{BIN}:{os.environ['PATH']}", "CGDMER_REPOSITORY": str(source),
        "CGDMER_PROJECT": str(tmp_path / "clone"),
        "CGDMER_DVC_URL": "s3://dvc/cgdmer", "CGDMER_REF": "main", "AWS_ENDPOINT_URL": "http://127.0.0.1:7070",
        "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "very-secret",
    }  # fmt: skip
    for _ in range(2):
        words = [ROOT / "docker/in_clone.sh", "sh", "-c", "pwd; echo $CGDMER_DVC_REMOTE; touch kept"]
        done = subprocess.run(words, capture_output=True, text=True, env=variables, check=False)
        assert done.stdout.split() == [str(tmp_path / "clone"), "shared"], done.stderr
    assert (tmp_path / "clone/kept").exists()
    written = (tmp_path / "clone/.dvc/config.local").read_text()
    assert "url = s3://dvc/cgdmer" in written
    assert "endpointurl = http://127.0.0.1:7070" in written
    assert "secret" not in "".join(
        path.read_text(errors="replace") for path in (tmp_path / "clone/.dvc").glob("config*")
    )


def test_buckets_are_made_once(monkeypatch):
    from moto import mock_aws

    monkeypatch.syspath_prepend(str(ROOT / "docker"))
    monkeypatch.setattr(sys, "argv", ["buckets.py", "dvc", "mlflow"])
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    import buckets

    with mock_aws():
        buckets.main()
        buckets.main()
        assert {entry["Name"] for entry in boto3.client("s3").list_buckets()["Buckets"]} == {"dvc", "mlflow"}
        monkeypatch.setattr(sys, "argv", ["buckets.py", "Not A Name"])
        with pytest.raises(ParamValidationError, match="bucket name"):
            buckets.main()


def test_buckets_waits_for_a_store_and_then_says_so(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docker"))
    import buckets

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # the library would wait between attempts of its own
    monkeypatch.setattr(buckets, "PATIENCE", 0.0)
    monkeypatch.setattr(sys, "argv", ["buckets.py", "dvc"])
    with pytest.raises(TimeoutError, match="no S3 store answers"):
        buckets.main()
