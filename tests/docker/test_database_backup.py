"""The commands of docs/maintenance.md save databases and buckets of the containers, and restore them."""

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support import registered, stack
from support.server_process import answers, free_port, server_process

from cgdmer.errors import ConfigError
from cgdmer.tracking import server
from flows import services

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = re.findall(r"exec -T postgres (\S+) (.*) ([<>]) (\S+)$", (ROOT / "docs/maintenance.md").read_text(), re.M)
PROGRAMS = stack.postgres_programs()
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(PROGRAMS is None, reason="PostgreSQL is not installed: apt-get install postgresql"),
]


def run(port, folder, program, options, direction="", file=""):
    """Run a client of PostgreSQL with its standard input or output in a file, as the shell does; return its output."""
    words = [str(PROGRAMS / program), "-h", "127.0.0.1", "-p", str(port), *options]
    environment = os.environ | {"PGPASSWORD": stack.SECRET}
    if direction == "<":
        with (folder / file).open("rb") as source:
            done = subprocess.run(words, stdin=source, capture_output=True, env=environment, check=False)
    else:
        done = subprocess.run(words, capture_output=True, env=environment, check=False)
        if direction == ">":
            (folder / file).write_bytes(done.stdout)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def sql(port, folder, database, statement):
    return run(port, folder, "psql", ["-U", "cgdmer", "-d", database, "-v", "ON_ERROR_STOP=1", "-Atc", statement])


def test_the_page_saves_and_restores_both_databases():
    assert [(program, file) for program, _, _, file in COMMANDS] == [
        ("pg_dump", "mlflow.dump"), ("pg_dump", "prefect.dump"),
        ("pg_restore", "mlflow.dump"), ("pg_restore", "prefect.dump"),
    ]  # fmt: skip


@contextlib.contextmanager
def mlflow(folder, database, bucket):
    """Run the MLflow server of docker/auth.yaml on a PostgreSQL, and be its client."""
    port = free_port()
    runs = f"postgresql+psycopg2://cgdmer:{stack.SECRET}@127.0.0.1:{database}/mlflow"
    command, variables = stack.guarded_mlflow(folder, port, runs, runs.replace(f":{stack.SECRET}", ""), bucket)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
            patch.setenv(name, f"http://127.0.0.1:{port}")
        for name, value in zip(server.CREDENTIALS, ("admin", stack.SECRET), strict=True):
            patch.setenv(name, value)
        with server_process(command, folder / "log", services.process_environment(**variables)) as process:
            process.wait(lambda: answers(f"http://127.0.0.1:{port}/health"))
            yield


def tar(folder, bucket, direction):
    """Run a command of the page that saves (`-c`) or restores (`-x`) the volume of the buckets."""
    (words,) = re.findall(rf"debian (tar -{direction}.*)$", (ROOT / "docs/maintenance.md").read_text(), re.M)
    for inside, outside in (("/out/", f"{folder}/"), ("/in/", f"{folder}/"), ("/data", str(bucket))):
        words = words.replace(inside, outside)
    subprocess.run(words.split(), check=True)


def test_the_gateway_finds_its_entity_tags_again(tmp_path):
    bucket = tmp_path / "bucket"
    (bucket / "mlflow").mkdir(parents=True)
    (bucket / "mlflow/object").write_bytes(b"content")
    try:
        os.setxattr(bucket / "mlflow/object", "user.etag", b"9a0364b9e99bb480dd25e1f0284c8555")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    tar(tmp_path, bucket, "cf")
    shutil.rmtree(bucket)
    bucket.mkdir()
    tar(tmp_path, bucket, "xf")
    assert os.getxattr(bucket / "mlflow/object", "user.etag") == b"9a0364b9e99bb480dd25e1f0284c8555"


def commands(program, port, folder):
    """Run the commands of the page that call one program."""
    for called, options, direction, file in COMMANDS:
        if called == program:
            run(port, folder, called, options.split(), direction, file)


def test_the_champion_loads_after_both_servers_and_the_buckets_were_lost(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bucket, port = tmp_path / "bucket", free_port()
    with stack.postgres(PROGRAMS, port), mlflow(tmp_path, port, bucket):
        kept = registered.champion()
        sql(port, tmp_path, "prefect", "CREATE TABLE kept (name text); INSERT INTO kept VALUES ('a run')")
        commands("pg_dump", port, tmp_path)
        tar(tmp_path, bucket, "cf")
    shutil.rmtree(bucket)
    bucket.mkdir()
    port = free_port()
    with stack.postgres(PROGRAMS, port):  # a new server, with empty databases
        commands("pg_restore", port, tmp_path)
        assert sql(port, tmp_path, "prefect", "SELECT * FROM kept") == b"a run\n"
        with mlflow(tmp_path, port, bucket):
            with pytest.raises(ConfigError, match="champion"):  # the registry alone is not enough
                registered.champion_is(kept)
            tar(tmp_path, bucket, "xf")
            assert registered.champion_is(kept)
