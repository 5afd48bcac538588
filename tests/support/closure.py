"""Which project files a stage runs: the transitive imports of its module, and what its items load by name."""

import sys
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import grimp
import yaml

from cgdmer import settings

ROOT = Path(__file__).resolve().parents[2]
PLUMBING = {
    "cgdmer": "the version and the lazy public API",
    "cgdmer.version": "the version",
    "cgdmer.stages": "calls the stage",
    "cgdmer.errors": "words of a failure",
    "cgdmer.files": "atomic writing and checksums",
    "cgdmer.paths": "names of files, which DVC sees as outputs",
    "cgdmer.progress": "progress bars",
    "cgdmer.environment": "where and how fast work runs",
    "cgdmer.executor": "which processes run it",
    "cgdmer.settings": "its values are the params, which DVC compares",
    "cgdmer.tracking": "tells MLflow what happens; nothing reads it back",
}
"""What a stage may import undeclared, each with the reason that it cannot change a result."""
WITHOUT_SUBMODULES = {"cgdmer", "cgdmer.stages"}
"""Packages of which only `__init__.py` is plumbing."""


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("cgdmer", exclude_type_checking_imports=True, cache_dir=None)


def loaded_by_name(stage: str, items: dict[str, str]) -> set[str]:
    """Return the modules that a stage call imports by the name of one of its items."""
    modules = set()
    if source := items.get("source"):
        modules |= {f"cgdmer.datasets.{source}"} if stage in ("acquire", "index", "shards") else set()
        modules |= {f"cgdmer.demo_corpora.{source}"} if stage == "acquire" else set()
    if (encoder := items.get("encoder")) and stage in ("embed", "robustness"):
        modules |= {f"cgdmer.encoders.{encoder}"}
    return modules


def closure(stage: str, items: dict[str, str]) -> set[str]:
    """Return the dotted names of all project modules that a stage call runs, plumbing left out."""
    return reached({f"cgdmer.stages.{stage}"} | loaded_by_name(stage, items))


def reached(modules: set[str]) -> set[str]:
    """Return the dotted names of these modules and of all that they import, plumbing left out."""
    wanted, seen = set(modules), set[str]()
    while wanted:
        module = wanted.pop()
        if module in seen or is_plumbing(module):
            continue
        seen.add(module)
        package = module.rpartition(".")[0]
        wanted |= graph().find_modules_directly_imported_by(module) | {package}
    return seen


def is_plumbing(module: str) -> bool:
    if module in WITHOUT_SUBMODULES:
        return True
    return any(module == name or module.startswith(f"{name}.") for name in PLUMBING.keys() - WITHOUT_SUBMODULES)


def file_of(module: str) -> str:
    path = Path(*module.split("."))
    return (path.with_suffix(".py") if (ROOT / path).with_suffix(".py").is_file() else path / "__init__.py").as_posix()


def calls(stage: dict[str, Any], matrix: dict[str, list[str]]) -> list[dict[str, str]]:
    """Return the items of each call of a stage of dvc.yaml."""
    named = stage.get("matrix", {}).items()
    lists = {item: matrix[value.removeprefix("${matrix.").rstrip("}")] for item, value in named}
    return [dict(zip(lists, values, strict=True)) for values in product(*lists.values())]


def declared_files(stage: dict[str, Any], items: dict[str, str]) -> set[str]:
    """Return the Python files that one call of a stage declares as dependencies."""
    files: set[str] = set()
    for dependency in stage["deps"]:
        for item, value in items.items():
            dependency = dependency.replace(f"${{item.{item}}}", value)
        if dependency.startswith("cgdmer/"):
            path = ROOT / dependency
            found = [path] if path.is_file() else list(path.rglob("*.py"))
            files |= {file.relative_to(ROOT).as_posix() for file in found}
    return files


def line_count(files: set[str]) -> int:
    return sum((ROOT / file).read_text().count("\n") for file in files)


def lines_by_stage() -> dict[str, int]:
    """Return the lines of code that each stage of dvc.yaml depends on, over all its calls."""
    matrix = settings.load(ROOT / "params/demo.yaml").matrix.model_dump()
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    return {
        name: line_count(set().union(*(declared_files(stage, items) for items in calls(stage, matrix) or [{}])))
        for name, stage in stages.items()
    }


if __name__ == "__main__":
    for name, lines in lines_by_stage().items():
        sys.stdout.write(f"{name:16} {lines:6}\n")
