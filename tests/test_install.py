"""After `pip install cgdmer`, embed, score, plot and the Python API work; other commands name the extra they need."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from support import example_recordings as example

from cgdmer.errors import EXTRAS
from cgdmer.sharing import half

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@cache
def forbid_extras() -> str:
    """Return code that makes the import of any module of the extras fail."""
    installed = metadata.packages_distributions().items()

    def modules(requirements: Iterable[str]) -> set[str]:
        """Return the top-level modules of the packages that requirements such as `dvc-s3>=3.3` name."""
        named = {canonical(re.match(r"[\w.-]+", requirement)[0]) for requirement in requirements}
        return {module for module, packages in installed if named & {canonical(package) for package in packages}}

    extra = modules(one for extra in PROJECT["optional-dependencies"].values() for one in extra)
    extra -= modules([*PROJECT["dependencies"], "cgdmer"])
    return f"import sys\nsys.modules |= dict.fromkeys({sorted(extra)!r})\n"


def canonical(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


API = (
    "import cgdmer, sys\n"
    "encoder = cgdmer.load_encoder(sys.argv[1])\n"
    "record = cgdmer.read_record(sys.argv[2], encoder)\n"
    "features = encoder.encode(record.signal[None])\n"
    "assert features['shared'].shape == (1, encoder.dims['shared'])\n"
)
CLI_OF_EACH = """
import contextlib, io, json
from cgdmer import cli

def run(words):
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        try:
            code = cli.main(words)
        except SystemExit as end:
            code = end.code or 0
    return code, errors.getvalue()

print(json.dumps([run(words) for words in json.loads(sys.argv[1])]))
"""
"""One process for all: what `forbid_extras` forbids, it forbids to the end of the process."""


def python(program: Path | str, *arguments: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder outside the project, with the variables `more` added to the environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CGDMER_", "PYTHON"))}
    return subprocess.run(
        [str(program), *arguments],
        cwd=folder,
        env=environment | {"CGDMER_EXECUTOR": "serial"} | more,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def record(tmp_path):
    return example.wfdb(tmp_path / "in", "r0")


def without_the_pipeline(code: str, *arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    return python(
        sys.executable, "-c", forbid_extras() + code, *map(str, arguments), folder=folder, PYTHONPATH=str(ROOT)
    )


def test_the_api_imports_nothing_of_the_pipeline(record, tmp_path):
    done = without_the_pipeline(API, example.model(), record, folder=tmp_path)
    assert done.returncode == 0, done.stderr


def run_each(*commands: list[str], folder: Path) -> list[tuple[int, str]]:
    """Return the exit code of each command and what it printed on stderr."""
    done = without_the_pipeline(CLI_OF_EACH, json.dumps(commands), folder=folder)
    assert done.returncode == 0, done.stderr
    return [(code, errors) for code, errors in json.loads(done.stdout.splitlines()[-1])]


def test_the_light_commands_import_nothing_of_the_pipeline(record, tmp_path):
    model = ["--model", str(example.model())]
    commands = [
        ["embed", "--help"],
        ["embed", str(record), *model],
        ["score", str(record), *model],
        ["plot", str(record)],
    ]
    ended = run_each(*commands, folder=tmp_path)
    assert [code for code, _ in ended] == [0] * len(commands), ended


def test_a_folder_of_recordings_needs_no_extra(tmp_path):
    """What README shows to somebody with a folder, one command after the other, with the shipped encoder."""
    names = [f"r{number}" for number in range(30)]
    for number, name in enumerate(names):
        example.wfdb(tmp_path / "in", name, seed=number)
    slow = [int(example.beat_interval(number) > 0.8) for number in range(len(names))]
    rows = "".join(f"in/{name}.hea,{label},of {name}\n" for name, label in zip(names, slow, strict=True))
    (tmp_path / "labels.csv").write_text(f"recording,slow,patient\n{rows}")
    commands = [
        ["embed", "in", "-o", "features.parquet"],
        ["score", "in", "-o", "scores.csv"],
        ["measure", "in", "-o", "measured.csv"],
        ["similar", "in/r0.hea", "--in", "features.parquet", "-k", "3"],
        ["plot", "in", "-o", "pictures"],
        ["report", "in", "-o", "pages"],
        ["export", "-o", "encoder"],
        ["fit", "labels.csv", "in", "-o", "my.probe"],
    ]
    ended = run_each(*commands, folder=tmp_path)
    assert [code for code, _ in ended] == [0] * len(commands), ended


def test_a_command_of_the_pipeline_names_the_extra(tmp_path):
    message = "cgdmer: mlflow is not installed\n  to fix: pip install 'cgdmer[pipeline]'\n"
    assert run_each(["publish"], ["promote"], ["rollback"], folder=tmp_path) == [(2, message)] * 3


def test_an_encoder_of_the_registry_names_the_extra(tmp_path):
    code = (
        "import cgdmer, cgdmer.errors\n"
        "try:\n    cgdmer.load_encoder('models:/x@champion')\n"
        "except cgdmer.errors.ConfigError as error:\n    print(error.problem, '|', error.fix)\n"
    )
    done = without_the_pipeline(code, folder=tmp_path)
    assert done.stdout == "mlflow is not installed | pip install 'cgdmer[pipeline]'\n", done.stderr


def test_every_extra_is_declared_with_what_the_messages_promise():
    declared = PROJECT["optional-dependencies"]
    for extra, modules in EXTRAS.items():
        names = [name.split(">")[0].split("[")[0].replace("-", "_") for name in declared[extra]]
        assert {module.removesuffix("_py") for module in modules} <= {name.removesuffix("_py") for name in names}


@pytest.fixture(scope="module")
def light(tmp_path_factory):
    """Build the wheel from a copy of the project and install it, without extras, into a new environment."""
    folder = tmp_path_factory.mktemp("light")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("cgdmer", "flows"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    if not (source / "cgdmer/base").is_dir():  # a checkout without trained weights: any model in their place
        half.save(example.model(), source / "cgdmer/base")
    venv.create(folder / "venv", with_pip=True)
    program = folder / "venv/bin/python"
    wheel = python(program, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", "dist", "./source", folder=folder)
    assert wheel.returncode == 0, wheel.stderr
    (built,) = (folder / "dist").glob("cgdmer-*.whl")
    constraints = str(ROOT / "constraints.txt")
    installed = python(program, "-m", "pip", "install", "--quiet", "-c", constraints, str(built), folder=folder)
    assert installed.returncode == 0, installed.stderr
    return program


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_light_install_embeds_and_names_the_extra_of_the_rest(light, record, tmp_path):
    listed = python(light, "-m", "pip", "list", "--format", "json", folder=tmp_path)
    names = {package["name"].lower() for package in json.loads(listed.stdout)}
    assert "cgdmer" in names
    assert not names & {"dvc", "great-expectations", "mlflow", "prefect", "requests", "transformers", "scikit-learn"}

    for number, model in enumerate([[], ["--model", str(example.model())]]):
        words = ["embed", str(record), *model, "-o", f"{number}.parquet"]
        embedded = python(light, "-m", "cgdmer", *words, folder=tmp_path)
        assert embedded.returncode == 0, embedded.stderr
        encoder = "cgdmer" if model else "cgdmer_base"
        assert f"1 recordings in {number}.parquet, encoded by {encoder} " in embedded.stdout
    api = python(light, "-c", API, str(example.model()), str(record), folder=tmp_path)
    assert api.returncode == 0, api.stderr

    published = python(light, "-m", "cgdmer", "publish", folder=tmp_path)
    assert published.returncode == 2
    assert "mlflow is not installed\n  to fix: pip install 'cgdmer[pipeline]'" in published.stderr
    doctor = python(light, "-m", "cgdmer", "doctor", folder=tmp_path)
    assert doctor.returncode == 0, doctor.stdout
    assert "the pipeline is not installed" in doctor.stdout
