"""The stages of dvc.yaml and how to call one: items by position, settings sections by name."""

import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from cgdmer import costs, paths
from cgdmer.errors import ConfigError, did_you_mean
from cgdmer.files import exclusive_lock, write_error
from cgdmer.settings import Settings

STAGES = (
    "code",
    "protocol",
    "acquire",
    "index",
    "shards",
    "validate",
    "pretraining_set",
    "pretrain",
    "embed",
    "probe",
    "disentanglement",
    "robustness",
    "measurements",
    "retrieval",
    "zero_shot",
    "finetune",
    "report",
)
"""In the order of dvc.yaml. Each is a function in the module of the same name."""


def find(name: str) -> Callable[..., None]:
    """Return the function of a stage and import only its module; ConfigError for an unknown name."""
    if name not in STAGES:
        raise ConfigError(
            f"no stage is called '{name}'{did_you_mean(name, list(STAGES))}",
            allowed=", ".join(STAGES),
            fix="python -m cgdmer run STAGE [ITEM ...]",
        )
    function: Callable[..., None] = getattr(import_module(f"cgdmer.stages.{name}"), name)
    return function


def item_names(stage: Callable[..., None]) -> list[str]:
    """Return the names of a stage's positional items, such as encoder and source."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [name for name, parameter in inspect.signature(stage).parameters.items() if parameter.kind in kinds]


def section_names(stage: Callable[..., None]) -> list[str]:
    """Return the settings sections that a stage reads, which are its DVC params."""
    parameters = inspect.signature(stage).parameters.items()
    return [name for name, parameter in parameters if parameter.kind is inspect.Parameter.KEYWORD_ONLY]


def allowed_items(name: str, item: str, settings: Settings) -> list[str]:
    """Return the values that an item may have, from the section `matrix`."""
    matrix = settings.matrix
    encoders = [*matrix.encoders, *matrix.controls]
    sources = matrix.benchmarks if name in ("embed", "probe", "finetune", "robustness", "zero_shot") else matrix.sources
    return list(sources) if item == "source" else encoders


def call(name: str, items: list[str], settings: Settings) -> None:
    """Run one stage; ConfigError if the number or the names of its items are wrong."""
    stage = find(name)
    names = item_names(stage)
    usage = " ".join(["python -m cgdmer run", name, *(item.upper() for item in names)])
    if len(items) != len(names):
        raise ConfigError(f"stage {name} takes {len(names)} item(s), got {len(items)}", fix=usage)
    for item, value in zip(names, items, strict=True):
        choices = allowed_items(name, item, settings)
        if value not in choices:
            raise ConfigError(
                f"stage {name}: no {item} is called '{value}'{did_you_mean(value, choices)}",
                allowed=", ".join(choices),
                fix=f"{usage}, or add it to section matrix of params.yaml",
            )
    values = dict(zip(names, items, strict=True))
    sections = {section: _section(section, values, settings) for section in section_names(stage)}
    first = os.environ.get("RANK", "0") == "0"  # torchrun's other processes share the work of the first
    try:
        with _attended(name, items, sections) if first else nullcontext():
            stage(*items, **sections)
    except OSError as error:
        if refusal := write_error(Path(error.filename or paths.DATA), error):
            raise refusal from error
        raise


@contextmanager
def _attended(name: str, items: list[str], sections: dict[str, Any]) -> Iterator[None]:
    """Lock a stage call, measure its cost, and show the progress of stage embed, which shows none itself."""
    lock = paths.STATE / "locks" / "-".join([name, *items])
    with ExitStack() as stack:
        stack.enter_context(exclusive_lock(lock))
        stack.enter_context(costs.measured(" ".join([name, *items]), _digest(sections)))
        if name == "embed":
            from cgdmer.stages.embedding_progress import watched

            encoder, source = items
            stack.enter_context(watched(encoder, source, sections["embed"]))
        yield


def _digest(sections: dict[str, Any]) -> str:
    """Return the digest of the settings that a call reads; `commands.costs` computes the same from dvc.yaml."""
    return costs.digest(to_jsonable_python(sections))


def _section(section: str, items: dict[str, str], settings: Settings) -> Any:
    """Return a settings section; `corpus` is the entry of `corpora` for the source among the items."""
    if section != "corpus":
        return getattr(settings, section)
    for source, corpus in settings.corpora.items():
        if source == items["source"]:
            return corpus
    raise ConfigError(
        f"params.yaml has no entry corpora.{items['source']}",
        allowed=", ".join(settings.corpora),
        fix="add it, or remove the source from matrix.sources",
    )
