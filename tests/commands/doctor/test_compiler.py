"""The compiler that `train.compile: true` needs: of a GPU, which is played, and of a CPU."""

import shutil
from pathlib import Path

import pytest
import torch
import yaml

from cgdmer import distributed, settings
from cgdmer.commands.doctor import CHECKS, compiler

COMPILED = settings.Train(compile=True)


@pytest.fixture(autouse=True)
def unnamed(monkeypatch):
    for variable in ("CC", "CXX"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def device(monkeypatch):
    """Return a function that chooses the device of this machine."""
    return lambda name: monkeypatch.setattr(distributed, "choose_device", lambda: torch.device(name))


def program(folder: Path, name: str, text: str = "exit 0") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)
    return folder / name


@pytest.mark.parametrize(("name", "language", "package"), [("cuda", "C", "gcc libc6-dev"), ("cpu", "C++", "g++")])
def test_a_machine_without_a_compiler_is_bad_and_the_command_that_fixes_it_is_there(
    name, language, package, device, states, monkeypatch, tmp_path
):
    device(name)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert states(compiler.check_for(COMPILED)) == [
        (
            "bad",
            f"train.compile: true needs a {language} compiler: none is on the PATH",
            f"apt-get install {package} python3-dev; or set train.compile: false in params.yaml",
        )
    ]
    assert states(compiler.check_for(settings.Train())) == []


def test_a_gpu_needs_the_c_compiler_that_triton_chooses(device, states, monkeypatch, tmp_path):
    device("cuda:1")
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    for other in ("cc", "g++", "clang"):  # Triton does not look for `cc`
        assert compiler.c_compiler() is None
        path = program(tmp_path / "programs", other)
    assert compiler.c_compiler() == str(path)
    path = program(tmp_path / "programs", "gcc")
    assert states(compiler.check_for(COMPILED)) == [("ok", f"train.compile: {path} builds modules for Python", "")]


def test_the_environment_names_the_compiler(device, states, monkeypatch, tmp_path):
    device("cuda")
    monkeypatch.setenv("CC", str(program(tmp_path / "programs", "mine")))
    ((state, fact, _),) = states(compiler.check_for(COMPILED))
    assert (state, "programs/mine" in fact) == ("ok", True)
    monkeypatch.setenv("CC", "no-such-compiler")
    ((state, fact, fix),) = states(compiler.check_for(COMPILED))
    assert (state, fix.startswith("unset CC;")) == ("bad", True)
    assert fact.endswith("no-such-compiler: No such file or directory")


def test_a_compiler_without_the_headers_is_bad(device, states, monkeypatch, tmp_path):
    device("cuda")
    monkeypatch.setenv("PATH", f"{tmp_path / 'programs'}:/bin:/usr/bin")
    words = "module.c:1:10: fatal error: stdlib.h: No such file or directory"
    path = program(tmp_path / "programs", "gcc", f"echo '{words}' >&2; exit 1")
    ((state, fact, _),) = states(compiler.check_for(COMPILED))
    assert (state, fact.endswith(f"{path}: stdlib.h: No such file or directory")) == ("bad", True)
    program(tmp_path / "programs", "gcc", "exit 4")
    assert states(compiler.check_for(COMPILED))[0][1].endswith("gcc: exit status 4")


@pytest.mark.parametrize(("command", "suffix"), [("gcc", "c"), ("g++", "cpp")])
def test_a_real_compiler_builds_a_module_with_the_headers_and_not_without(command, suffix, monkeypatch):
    if shutil.which(command) is None:
        pytest.skip(f"{command} is not installed")
    assert compiler.failure(command, suffix) is None
    monkeypatch.setattr(compiler, "SOURCE", "#include <no_such_header.h>\n")
    assert "no_such_header.h: No such file" in str(compiler.failure(command, suffix))


def test_doctor_reads_params_yaml(project, device, states, monkeypatch, tmp_path):
    assert compiler.check in CHECKS
    device("cuda")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert states(compiler.check()) == []
    content = settings.read(project / "params.yaml")
    content["train"]["compile"] = True
    (project / "params.yaml").write_text(yaml.safe_dump(content))
    ((state, fact, _),) = states(compiler.check())
    assert (state, "needs a C compiler" in fact) == ("bad", True)
    (project / "params.yaml").write_text("train: {no_such_key: 1}\n")
    assert states(compiler.check()) == []
