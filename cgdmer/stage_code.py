"""Which files of the package a stage call runs, and their digests, on which DVC lets the call depend.

The keys of unfinished work hold a digest of these files too, so that work of earlier code is not continued.

These are the module of the stage, what it imports, and what it loads by the name of an item; with each module come the
data files of its package.
"""

import os
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from cgdmer.files import sha256, work_key
from cgdmer.settings import Matrix

if TYPE_CHECKING:
    from grimp import ImportGraph

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "cgdmer"
EXEMPT = {
    "cgdmer": "the version and the lazy public API",
    "cgdmer.version": "the version",
    "cgdmer.stages": "calls the stage",
    "cgdmer.costs": "measures what a call costs",
    "cgdmer.errors": "words of a failure",
    "cgdmer.files": "atomic writing and checksums",
    "cgdmer.paths": "names of files, which DVC sees as outputs",
    "cgdmer.progress": "progress bars",
    "cgdmer.environment": "where and how fast work runs",
    "cgdmer.executor": "which processes run it",
    "cgdmer.settings": "its values are the params, which DVC compares",
    "cgdmer.stage_code": "names files",
    "cgdmer.tracking": "tells MLflow what happens; nothing reads it back",
}
"""Modules that no stage depends on, each with the reason that it cannot change a result."""
WITHOUT_SUBMODULES = {"cgdmer", "cgdmer.stages"}
"""Packages of which only `__init__.py` is exempt."""
BY_ITEM = {
    "acquire": ("datasets", "demo_corpora"),
    "index": ("datasets",),
    "shards": ("datasets",),
    "embed": ("encoders",),
    "robustness": ("encoders",),
}
"""Stages that load modules by the name of a source or an encoder, and the packages of these."""


def calls(stages: Iterable[str], matrix: Matrix) -> dict[str, set[str]]:
    """Return the modules that each stage begins with, by stage, or by stage and item where the item decides."""
    encoders = {*matrix.encoders, *matrix.controls, *matrix.robustness}
    found: dict[str, set[str]] = {}
    for stage in stages:
        packages = BY_ITEM.get(stage, ())
        items = sorted(encoders) if "encoders" in packages else matrix.sources if packages else [""]
        found |= {f"{stage}-{item}".rstrip("-"): begins(stage, item) for item in items}
    return found


def begins(stage: str, item: str = "") -> set[str]:
    """Return the module of a stage, and those that it loads by the name of a source or an encoder."""
    return {f"{PACKAGE}.stages.{stage}", *(f"{PACKAGE}.{package}.{item}" for package in BY_ITEM.get(stage, ()))}


def digests(modules: Iterable[str]) -> dict[str, str]:
    """Return the sha256 of every file behind these modules, by path below the project's root, in order."""
    return {file: sha256(ROOT / file) for file in files(modules)}


def digest(modules: Iterable[str]) -> str:
    """Return 16 hex digits that change with any file behind these modules.

    Without grimp, which only the pipeline's extra installs, they change with any file of the package that no exemption
    covers.
    """
    known = find_spec("grimp") is not None
    names = files(modules) if known else _with_data_files(name for name in every_module() if not is_exempt(name))
    return work_key({file: sha256(ROOT / file) for file in names})


def files(modules: Iterable[str]) -> list[str]:
    """Return the paths of these modules, of all that they import, and of the data files of their packages."""
    return _with_data_files(reached(modules))


def every_module() -> set[str]:
    """Return the dotted names of all modules of the package."""
    paths = (path.relative_to(ROOT).with_suffix("") for path in (ROOT / PACKAGE).rglob("*.py"))
    return {".".join(path.parts).removesuffix(".__init__") for path in paths}


def _with_data_files(modules: Iterable[str]) -> list[str]:
    names = set(modules)
    packages = {name if _is_package(name) else name.rpartition(".")[0] for name in names} - EXEMPT.keys()
    return sorted({file_of(name) for name in names} | {data for name in packages for data in _data_files(name)})


def reached(modules: Iterable[str]) -> set[str]:
    """Return the dotted names of these modules and of all that they import; those that are exempt are left out."""
    wanted, seen = set(modules), set[str]()
    while wanted:
        module = wanted.pop()
        if module in seen or is_exempt(module):
            continue
        seen.add(module)
        wanted |= _graph().find_modules_directly_imported_by(module) | {module.rpartition(".")[0]}
    return seen


def is_exempt(module: str) -> bool:
    """Return True if no stage depends on this module."""
    if module in WITHOUT_SUBMODULES:
        return True
    return any(module == name or module.startswith(f"{name}.") for name in EXEMPT.keys() - WITHOUT_SUBMODULES)


def file_of(module: str) -> str:
    """Return the path of a module below the project's root."""
    path = Path(*module.split("."))
    return (path / "__init__.py" if _is_package(module) else path.with_suffix(".py")).as_posix()


def _is_package(module: str) -> bool:
    return (ROOT / Path(*module.split(".")) / "__init__.py").is_file()


@cache
def _data_files(package: str) -> list[str]:
    """Return the files of a package that are no Python, without those of packages inside it."""
    found = []
    for place, folders, names in os.walk(ROOT / Path(*package.split("."))):
        folder = Path(place)
        folders[:] = [name for name in folders if not (folder / name / "__init__.py").is_file()]
        found += [folder / name for name in names if not name.endswith((".py", ".pyc"))]
    return [path.relative_to(ROOT).as_posix() for path in found]


@cache
def _graph() -> "ImportGraph":
    import grimp

    return grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)
