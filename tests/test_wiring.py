"""dvc.yaml, params.yaml, stage signatures and files on disk are held against each other."""

import ast
from pathlib import Path

import pytest
import yaml

from cgdmer import settings, stages

ROOT = Path(__file__).resolve().parents[1]
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
FUNCTION_OF = {name: stage["cmd"].split()[4] for name, stage in PIPELINE.items()}


@pytest.mark.parametrize("name", sorted(PIPELINE))
def test_params_are_exactly_the_sections_the_function_names(name):
    declared = {param.split(".")[0] for param in PIPELINE[name]["params"]}
    named = {"corpora" if x == "corpus" else x for x in stages.section_names(stages.find(FUNCTION_OF[name]))}
    assert declared == named


@pytest.mark.parametrize("name", sorted(PIPELINE))
def test_items_are_exactly_the_matrix_and_stand_in_the_command(name):
    items = stages.item_names(stages.find(FUNCTION_OF[name]))
    assert list(PIPELINE[name].get("matrix", {})) == items
    command = ["python", "-m", "cgdmer", "run", FUNCTION_OF[name], *(f"${{item.{item}}}" for item in items)]
    assert PIPELINE[name]["cmd"].split() == command


def test_every_stage_function_is_wired_and_in_order():
    assert set(FUNCTION_OF.values()) == set(stages.STAGES)
    order = [stages.STAGES.index(function) for function in FUNCTION_OF.values()]
    assert order == sorted(order)


def test_every_section_is_read_by_some_stage():
    read = {section for name in stages.STAGES for section in stages.section_names(stages.find(name))}
    sections = set(settings.Settings.model_fields) - {"corpora"} | {"corpus"}
    assert read == sections


@pytest.mark.parametrize("name", sorted(PIPELINE))
def test_code_dependencies_exist_and_cover_what_the_stage_imports(name):
    code = [dep for dep in PIPELINE[name]["deps"] if dep.startswith("cgdmer/")]
    for dependency in code:
        assert (ROOT / dependency).exists(), dependency
    names = (dependency.removeprefix("cgdmer/").removesuffix(".py").removesuffix("/__init__") for dependency in code)
    declared = {name.replace("/", ".") for name in names}
    for module in imported_rooms(ROOT / f"cgdmer/stages/{FUNCTION_OF[name]}.py"):
        assert any(module == d or module.startswith(f"{d}.") for d in declared), f"{name} imports cgdmer.{module}"


FOUNDATIONS = {
    "errors",
    "files",
    "paths",
    "progress",
    "environment",
    "settings",
    "tables",
    "executor",
    "embeddings",
    "shards",
    "tracking",
}
"""Modules that may be imported undeclared: they carry, store or tell; a change of what they store shows in the data."""


def imported_rooms(path: Path) -> set[str]:
    """Return the cgdmer modules a stage file imports, by dotted name below the package."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("cgdmer"):
            below = node.module.removeprefix("cgdmer").lstrip(".")
            found |= {below} if below else {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] not in FOUNDATIONS}


def test_profiles_never_shrink_what_dvc_reads():
    demo = settings.load(ROOT / "params/demo.yaml")
    assert set(demo.fan.benchmarks) <= set(demo.fan.sources)
    assert set(demo.fan.probed) <= {*demo.fan.encoders, *demo.fan.controls}
    assert set(demo.corpora) >= set(demo.fan.sources)
