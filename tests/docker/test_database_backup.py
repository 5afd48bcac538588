"""The commands of docs/maintenance.md save the databases of the containers, and restore them on an empty server."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from support import stack
from support.server_process import free_port

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


def test_what_was_saved_is_there_after_the_server_was_lost(tmp_path):
    wanted = {"mlflow": b"1|champion\n", "prefect": b"1|a run\n"}
    for program in ("pg_dump", "pg_restore"):
        port = free_port()
        with stack.postgres(PROGRAMS, port):  # a new server each time
            if program == "pg_dump":
                for name, row in wanted.items():
                    values = row.decode().strip().replace("|", ", '") + "'"
                    sql(port, tmp_path, name, f"CREATE TABLE kept (id serial PRIMARY KEY, name text); "
                        f"INSERT INTO kept VALUES ({values})")  # fmt: skip
            for called, options, direction, file in COMMANDS:
                if called == program:
                    run(port, tmp_path, called, options.split(), direction, file)
            assert {name: sql(port, tmp_path, name, "SELECT * FROM kept") for name in wanted} == wanted
