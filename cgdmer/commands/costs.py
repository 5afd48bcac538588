"""`cgdmer costs`: what the present results cost, by stage or by call, and all calls of this machine."""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from cgdmer import costs
from cgdmer.costs import Cost
from cgdmer.errors import DataError, printable
from cgdmer.files import check_regular
from cgdmer.report import costs as tables
from cgdmer.report.table import text
from cgdmer.settings import Settings, bounded_yaml

PIPELINE = Path("dvc.yaml")
MAX_PIPELINE = 1 << 20
"""Bytes of the largest description of a pipeline."""


def describe(settings: Settings, *, calls: bool = False, every: bool = False) -> str:
    """Return a table for a terminal: a row per stage, with `calls` per call, with `every` per call ever made.

    DataError if this machine has no record of it.
    """
    known = costs.ledger()
    if every:
        if not known:
            raise DataError(f"{costs.LEDGER} holds no stage call yet", fix="dvc repro")
        return text(tables.of_every_call(known))
    present = of_results(settings, known)
    if not present:
        raise DataError(
            f"{costs.LEDGER} holds no call with the present settings: the results are from a cache or another machine",
            fix="dvc repro --force STAGE measures a stage again; cgdmer costs --every lists what was measured",
        )
    table = tables.by_call(present) if calls else tables.by_stage(present)
    return "\n".join([text(table), *_missing(settings, present)])


def _missing(settings: Settings, present: Sequence[Cost]) -> list[str]:
    """Return a line that names the calls whose cost is not known."""
    names = {cost.call for cost in present}
    lost = [call for call in digests(settings) if call not in names]
    shown = ", ".join(lost[:6]) + (f" and {len(lost) - 6} more" if len(lost) > 6 else "")
    return [f"Not measured on this machine with these settings: {shown}."] if lost else []


def of_results(settings: Settings, known: Sequence[Cost] | None = None) -> list[Cost]:
    """Return what each stage call of the present results cost, as far as this machine measured it."""
    return costs.of_results(costs.ledger() if known is None else known, digests(settings))


def digests(settings: Settings) -> dict[str, str]:
    """Return the digest of the settings of each stage call, in the order of dvc.yaml.

    DataError if that is missing, or is no pipeline of this package.
    """
    try:
        check_regular(PIPELINE, MAX_PIPELINE)
        return _digests(bounded_yaml.load(PIPELINE.read_text(encoding="utf-8"))["stages"], settings)
    except FileNotFoundError as error:
        raise DataError(f"{PIPELINE} is missing", fix="run from the project's root") from error
    except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = printable(str(error).splitlines()[0] if str(error) else type(error).__name__)[:200]
        raise DataError(
            f"{PIPELINE} is no pipeline of this package: {reason}", fix=f"git checkout {PIPELINE}"
        ) from error


def _digests(stages: dict[str, Any], settings: Settings) -> dict[str, str]:
    content = settings.model_dump(mode="json")
    found = {}
    for stage in stages.values():
        words = stage["cmd"].split()[4:]
        for items in _items(stage.get("matrix", {}), content):
            call = " ".join(items.get(word, word) for word in words)
            sections = dict(_section(param, items, content) for param in stage.get("params", []))
            found[call] = costs.digest(sections)
    return found


def _items(matrix: dict[str, Any], content: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the values of each call's items, by the word that stands for them in dvc.yaml."""
    lists = [content["matrix"][value.removeprefix("${matrix.").rstrip("}")] for value in matrix.values()]
    for values in product(*lists):
        yield {f"${{item.{name}}}": value for name, value in zip(matrix, values, strict=True)}


def _section(param: str, items: dict[str, str], content: dict[str, Any]) -> tuple[str, Any]:
    """Return a section as its stage is given it; one source of `corpora` is called `corpus` there."""
    section, _, key = param.partition(".")
    return ("corpus", content[section][items[key]]) if key in items else (section, content[section])
