"""Which files a stage runs: held against what Python really imports, and the data files beside the modules."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.edited_code import edit

from cgdmer import settings, stage_code, stages

ROOT = Path(__file__).resolve().parents[1]
CALLS = stage_code.calls(set(stages.STAGES) - {"code"}, settings.load(ROOT / "params/demo.yaml").matrix)
WATCHED = ("acquire-csn", "pretrain", "embed-handcrafted", "probe", "zero_shot", "report")
IMPORTED = """
import json, os, sys
from importlib import import_module
import numpy, polars, scipy.signal, scipy.stats, torch  # once for all calls
for call, modules in json.loads(sys.argv[1]).items():
    if os.fork():
        assert os.wait()[1] == 0, call
        continue
    for name in modules:
        import_module(name)
    print(json.dumps([call, [name for name in sys.modules if name.split(".")[0] == "cgdmer"]]), flush=True)
    os._exit(0)
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, list[str]]:
    """The modules of the package that Python imports for each call."""
    modules = json.dumps({call: sorted(CALLS[call]) for call in WATCHED})
    command = [sys.executable, "-c", IMPORTED, modules]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.mark.xdist_group("stage_code")
@pytest.mark.parametrize("call", WATCHED)
def test_every_module_that_python_imports_is_among_the_files(imported, call):
    names = [name for name in imported[call] if not stage_code.is_exempt(name)]
    assert f"cgdmer.stages.{call.split('-')[0]}" in names
    assert {stage_code.file_of(name) for name in names} <= set(stage_code.files(CALLS[call]))


@pytest.mark.parametrize(
    ("call", "file"),
    [
        ("acquire-ptb_xl", "cgdmer/demo_corpora/scp_statements.csv"),
        ("acquire-ptb_xl", "cgdmer/simulator/beat_shapes.json"),
        ("validate", "cgdmer/validation/published.csv"),
        ("zero_shot", "cgdmer/evaluation/prompts/templates.json"),
        ("report", "cgdmer/page/style.css"),
        ("report", "cgdmer/report/published.csv"),
    ],
)
def test_data_files_come_with_the_modules_that_read_them(call, file):
    assert file in stage_code.files(CALLS[call])


def test_data_files_of_other_packages_stay_out():
    assert [file for file in stage_code.files(CALLS["pretrain"]) if not file.endswith(".py")] == []


def test_digests_are_those_of_the_files_in_order():
    digests = stage_code.digests(CALLS["probe"])
    assert list(digests) == sorted(digests) == stage_code.files(CALLS["probe"])
    assert digests["cgdmer/probing/newton.py"] == stage_code.sha256(ROOT / "cgdmer/probing/newton.py")
    assert all((ROOT / file).is_file() for file in digests)


def test_an_item_decides_only_where_a_stage_loads_by_its_name():
    assert {call for call in CALLS if call.startswith("embed")} == {
        f"embed-{name}" for name in ("cgdmer", "cgdmer_base", "handcrafted", "random", "random_resnet18")
    }
    assert "cgdmer/delineation/waves.py" not in stage_code.files(CALLS["embed-cgdmer"])
    assert "probe" in CALLS


def test_what_is_exempt_exists_and_is_no_dependency():
    for name in stage_code.EXEMPT:
        assert (ROOT / stage_code.file_of(name)).is_file()
        assert stage_code.is_exempt(name)
    for modules in CALLS.values():
        assert not {"cgdmer/files.py", "cgdmer/errors.py", "cgdmer/stage_code.py"} & set(stage_code.files(modules))


@pytest.mark.parametrize("file", ["cgdmer/objectives/alignment.py", "cgdmer/simulator/beat_shapes.json"])
@pytest.mark.parametrize("grimp", [True, False])
def test_a_digest_changes_with_the_files_of_the_call_or_without_grimp_with_any(monkeypatch, file, grimp):
    if not grimp:
        monkeypatch.setattr(stage_code, "find_spec", lambda _: None)
        monkeypatch.setattr(stage_code, "_graph", lambda: pytest.fail("grimp is not installed"))
    before = stage_code.digest(CALLS["pretrain"])
    assert len(before) == 16
    with monkeypatch.context() as patch:
        edit(patch, "cgdmer/tracking/journal.py", "cgdmer/settings/method.py", "cgdmer/__init__.py")
        assert stage_code.digest(CALLS["pretrain"]) == before
    edit(monkeypatch, file)
    assert (stage_code.digest(CALLS["pretrain"]) != before) == (file.endswith(".py") or not grimp)


def test_every_module_of_the_package_has_a_name():
    assert {"cgdmer", "cgdmer.stages", "cgdmer.stages.pretrain", "cgdmer.files"} <= stage_code.every_module()
    assert all((ROOT / stage_code.file_of(name)).is_file() for name in stage_code.every_module())
