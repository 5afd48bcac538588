"""The code that each stage of dvc.yaml runs, by its calls, and how many lines it has."""

import sys
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from cgdmer import settings, stage_code

ROOT = Path(__file__).resolve().parents[2]


def calls(stage: dict[str, Any], matrix: Mapping[str, list[str]]) -> list[dict[str, str]]:
    """Return the items of each call of a stage of dvc.yaml."""
    named = stage.get("matrix", {}).items()
    lists = {item: matrix[value.removeprefix("${matrix.").rstrip("}")] for item, value in named}
    return [dict(zip(lists, values, strict=True)) for values in product(*lists.values())]


def files(stage: dict[str, Any], items: dict[str, str]) -> set[str]:
    """Return the files of the package that one call of a stage of dvc.yaml runs."""
    function = stage["cmd"].split()[4]
    kind = stage_code.BY_ITEM.get(function, ())
    item = items["encoder" if "encoders" in kind else "source"] if kind else ""
    return set(stage_code.files(stage_code.begins(function, item)))


def lines_by_stage() -> dict[str, int]:
    """Return the lines of Python that each stage of dvc.yaml runs, over all its calls."""
    matrix = settings.load(ROOT / "params/demo.yaml").matrix.model_dump()
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    found = {}
    for name, stage in stages.items():
        run = set().union(*(files(stage, items) for items in calls(stage, matrix) or [{}]))
        found[name] = sum((ROOT / file).read_text().count("\n") for file in run if file.endswith(".py"))
    return found


if __name__ == "__main__":
    for name, lines in lines_by_stage().items():
        sys.stdout.write(f"{name:16} {lines:6}\n")
