"""Owns `params.yaml`: the only reader, strict and typed, with errors that name the near miss."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from cgdmer.errors import ConfigError, did_you_mean
from cgdmer.settings.base import Section
from cgdmer.settings.data import Corpus, Index, PretrainingSet, Protocol, Signal, Source, Validation
from cgdmer.settings.evaluation import (
    Disentanglement,
    Drop,
    Embed,
    Exchange,
    Finetune,
    Noise,
    Outside,
    Probe,
    Report,
    Retrieval,
    Robustness,
    ZeroShot,
)
from cgdmer.settings.method import Masking, Model, Objective, Train

__all__ = [
    "Corpus",
    "Disentanglement",
    "Drop",
    "Embed",
    "Exchange",
    "Finetune",
    "Index",
    "Masking",
    "Matrix",
    "Model",
    "Noise",
    "Objective",
    "Outside",
    "PretrainingSet",
    "Probe",
    "Protocol",
    "Report",
    "Retrieval",
    "Robustness",
    "Settings",
    "Signal",
    "Train",
    "Validation",
    "ZeroShot",
    "load",
    "merge",
    "parse",
]  # fmt: skip


class Matrix(Section):
    """Lists that matrix stages out; only the report takes them as a param, so a longer list reruns nothing old."""

    sources: list[Source]
    benchmarks: list[Source]
    """Sources that are embedded and probed."""
    encoders: list[str]
    """Encoders that come from the pretrained weights."""
    controls: list[str]
    """Encoders that need no training."""
    probed: list[str]
    """Encoders of either kind that are probed."""
    robustness: list[str] = []
    """Probed encoders that are also probed with fewer leads and on disturbed records."""


class Settings(Section):
    """The whole of `params.yaml`."""

    matrix: Matrix
    corpora: dict[Source, Corpus]
    protocol: Protocol = Field(default_factory=Protocol)
    index: Index = Field(default_factory=Index)
    signal: Signal = Field(default_factory=Signal)
    validation: Validation = Field(default_factory=Validation)
    pretraining_set: PretrainingSet = Field(default_factory=PretrainingSet)
    model: Model = Field(default_factory=Model)
    masking: Masking = Field(default_factory=Masking)
    objective: Objective = Field(default_factory=Objective)
    train: Train = Field(default_factory=Train)
    embed: Embed = Field(default_factory=Embed)
    probe: Probe = Field(default_factory=Probe)
    robustness: Robustness = Field(default_factory=Robustness)
    finetune: Finetune = Field(default_factory=Finetune)
    zero_shot: ZeroShot = Field(default_factory=ZeroShot)
    retrieval: Retrieval = Field(default_factory=Retrieval)
    disentanglement: Disentanglement = Field(default_factory=Disentanglement)
    report: Report = Field(default_factory=Report)


def load(path: Path = Path("params.yaml")) -> Settings:
    """Read and check a settings file; ConfigError says which key is wrong and what was allowed."""
    return parse(read(path), name=str(path))


def read(path: Path) -> dict[str, Any]:
    """Read YAML safely into a mapping."""
    if not path.is_file():
        raise ConfigError(f"{path} is missing", fix="run from the project's root, or: git checkout params.yaml")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {error}", fix=f"mend the line named above in {path}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds {type(content).__name__}, not a mapping of sections")
    return content


def parse(content: dict[str, Any], name: str = "params.yaml") -> Settings:
    """Check a mapping against the sections."""
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(name, item) for item in error.errors()), fix=f"edit {name}") from error


def merge(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with the keys of `overlay` laid over it, mapping by mapping."""
    merged = dict(base)
    for key, value in overlay.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _explain(name: str, item: Any) -> str:
    """Turn one pydantic error into a sentence with the full path and the nearest key."""
    where = ".".join(str(part) for part in item["loc"] if part != "[key]")
    if item["type"] == "extra_forbidden":
        return f"{name}: '{where}' is unknown{did_you_mean(str(item['loc'][-1]), _keys_at(item['loc'][:-1]))}"
    return f"{name}: '{where}' = {item['input']!r}: {item['msg']}"


def _keys_at(location: tuple[Any, ...]) -> list[str]:
    """Return the keys allowed at a place in the settings."""
    section: type[Section] = Settings
    for part in location:
        if part == "corpora":
            return list(Corpus.model_fields)
        field = section.model_fields.get(str(part))
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, Section)):
            return []
        section = field.annotation
    return list(section.model_fields)
