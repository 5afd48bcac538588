"""The encoders that `cgdmer external-validation` evaluates, and their probes of simulated labels."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cgdmer import paths
from cgdmer.commands import provenance
from cgdmer.encoders import cgdmer_base
from cgdmer.encoders.pretrained import Pretrained, open_folder
from cgdmer.errors import ConfigError, did_you_mean
from cgdmer.files import named, read_json
from cgdmer.models import weights
from cgdmer.probing.linear_probe_io import SUFFIX
from cgdmer.sharing import about
from cgdmer.tables import TASKS

FOLDERS: dict[str, Callable[[], Path]] = {"cgdmer": lambda: paths.MODEL, cgdmer_base.NAME: cgdmer_base.require}
"""The folders of the pretrained encoders that can be evaluated, by name."""


@dataclass(frozen=True)
class Method:
    """A pretrained encoder that is evaluated."""

    encoder: Pretrained
    weights: Path
    """The file of its weights."""
    packaged_probes: Path
    """The folder of the probes that are packaged with it; a model of the pipeline has none."""
    pretrained_on: list[str]
    """Names of what pretraining read."""


def open_methods(names: Sequence[str]) -> dict[str, Method]:
    """Open pretrained encoders by name, in the order given.

    ConfigError for another name, or for encoders that read signals in different forms.
    """
    methods = {}
    for name in names:
        if name not in FOLDERS:
            raise ConfigError(
                f"--encoders: '{name}' is no pretrained encoder{did_you_mean(name, list(FOLDERS))}",
                allowed=", ".join(FOLDERS),
                fix="--encoders cgdmer,cgdmer_base; other encoders are matrix.controls in params.yaml",
            )
        folder = FOLDERS[name]()
        encoder = open_folder(folder, name)
        with named(config := folder / weights.CONFIG, f"dvc checkout --force {folder}"):
            seen = _seen(read_json(config)["facts"])
        methods[name] = Method(encoder, folder / weights.WEIGHTS, folder / about.PROBES, seen)
    forms = {method.encoder.form for method in methods.values()}
    if len(forms) > 1:
        raise ConfigError(f"{', '.join(methods)} read signals in different forms", fix="evaluate one after the other")
    return methods


def _seen(facts: Mapping[str, Any]) -> list[str]:
    """Return what pretraining read: corpora, sets of recordings without report, records simulated meanwhile."""
    drawn = ["records that were simulated meanwhile"] if facts.get("simulated") else []
    return [*sorted(facts.get("pool", [])), *facts.get("recordings", []), *drawn]


def probe_files(task: str, methods: Mapping[str, Method], controls: Sequence[str]) -> dict[str, Path]:
    """Return the probe of a task by encoder, where one was fitted on simulated recordings.

    A packaged encoder brings its own; those of the others are from the stage probe of this project.
    """
    return {name: path for name, path in _places(task, methods, controls)
            if path.is_file() and provenance.of_probe(path, task) == provenance.SIMULATED}  # fmt: skip


def _places(task: str, methods: Mapping[str, Method], controls: Sequence[str]) -> Iterator[tuple[str, Path]]:
    for name in (*methods, *controls) if task in TASKS else ():
        packaged = name in methods and methods[name].packaged_probes.is_dir()
        folder = methods[name].packaged_probes if packaged else paths.predictions(name, task).parent
        yield name, folder / f"{task}{SUFFIX}"
