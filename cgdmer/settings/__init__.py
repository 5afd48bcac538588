"""Reading `params.yaml`: strict, typed, with errors that name the closest valid key.

`docs/settings.md` lists every field; `python -m cgdmer.settings.manual` generates it from the docstrings.
"""

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from cgdmer.errors import ConfigError, did_you_mean
from cgdmer.files import check_regular
from cgdmer.settings import bounded_yaml, encoder_names
from cgdmer.settings.base import Section
from cgdmer.settings.data import (
    Corpus,
    Index,
    PretrainingSet,
    Protocol,
    Signal,
    Simulated,
    Source,
    Unlabelled,
    Validation,
)
from cgdmer.settings.evaluation import (
    Attentive,
    Disentanglement,
    Drop,
    Embed,
    Exchange,
    Finetune,
    Noise,
    Probe,
    Report,
    Retrieval,
    Robustness,
    WeightsFile,
    ZeroShot,
)
from cgdmer.settings.method import Ablations, Augmentation, Masking, Model, Objective, Train

__all__ = [
    "Ablations",
    "Attentive",
    "Augmentation",
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
    "PretrainingSet",
    "Probe",
    "Protocol",
    "Report",
    "Retrieval",
    "Robustness",
    "Settings",
    "Signal",
    "Simulated",
    "Train",
    "Unlabelled",
    "Validation",
    "WeightsFile",
    "ZeroShot",
    "load",
    "merge",
    "parse",
]  # fmt: skip


MAX_BYTES = 1 << 16
"""Bytes of the largest settings file; parsing it takes a few seconds."""
MAX_ERRORS = 20
DEPENDENT = ("III", "aVR", "aVL", "aVF")
"""Leads that are no tokens where `model.leads` is `independent`; any two limb leads give I and II, one does not."""


class Matrix(Section):
    """Lists over which stages run. Only the report takes them as params, so a longer list reruns no existing result."""

    sources: list[Source]
    """Corpora that are acquired, indexed, sharded and validated."""
    benchmarks: list[Source]
    """Sources that are embedded and probed."""
    encoders: list[str]
    """Encoders that use the pretrained weights."""
    controls: list[str]
    """Encoders for comparison, which do not use the pretrained weights."""
    probed: list[str]
    """Encoders and controls that are probed."""
    robustness: list[str] = []
    """Probed encoders that are also probed with fewer leads and on disturbed records."""


class Settings(Section):
    """All sections of `params.yaml`. The docstring of its class describes a section."""

    matrix: Matrix
    corpora: dict[Source, Corpus]
    """One section per corpus."""
    protocol: Protocol = Field(default_factory=Protocol)
    index: Index = Field(default_factory=Index)
    signal: Signal = Field(default_factory=Signal)
    validation: Validation = Field(default_factory=Validation)
    pretraining_set: PretrainingSet = Field(default_factory=PretrainingSet)
    model: Model = Field(default_factory=Model)
    masking: Masking = Field(default_factory=Masking)
    objective: Objective = Field(default_factory=Objective)
    augmentation: Augmentation = Field(default_factory=Augmentation)
    train: Train = Field(default_factory=Train)
    embed: Embed = Field(default_factory=Embed)
    probe: Probe = Field(default_factory=Probe)
    robustness: Robustness = Field(default_factory=Robustness)
    finetune: Finetune = Field(default_factory=Finetune)
    attentive: Attentive = Field(default_factory=Attentive)
    zero_shot: ZeroShot = Field(default_factory=ZeroShot)
    retrieval: Retrieval = Field(default_factory=Retrieval)
    disentanglement: Disentanglement = Field(default_factory=Disentanglement)
    ablations: Ablations = Field(default_factory=Ablations)
    report: Report = Field(default_factory=Report)


def load(path: Path = Path("params.yaml")) -> Settings:
    """Read and check a settings file. Raises ConfigError, which names the wrong key and the allowed values."""
    return parse(read(path), name=str(path))


def read(path: Path) -> dict[str, Any]:
    """Read a YAML file into a mapping, with the safe loader; its size is bounded, also that of its aliases."""
    if not path.exists():
        raise ConfigError(f"{path} is missing", fix=f"run from the project's root, or: git checkout {path}")
    try:
        check_regular(path, MAX_BYTES)
        content = bounded_yaml.load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"{path} is not YAML in UTF-8: {str(error)[:400]}", fix=f"correct the line named above in {path}"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", fix=f"ls -l {path}") from error
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise ConfigError(f"{path} holds {kind}, not a mapping of sections", fix="compare it with params/demo.yaml")
    return content


def parse(content: dict[str, Any], name: str = "params.yaml") -> Settings:
    """Return the settings that a mapping holds. Raises ConfigError; `name` is the file named in the message."""
    try:
        chosen = Settings.model_validate(content)
    except ValidationError as error:
        explained = [_explain(name, item) for item in error.errors()[:MAX_ERRORS]]
        raise ConfigError("\n".join(explained), fix=f"edit {name}") from error
    _check_encoders(chosen, name)
    _check_lead_sets(chosen, name)
    return chosen


def _check_encoders(chosen: Settings, name: str) -> None:
    """Raise ConfigError for an encoder that neither exists nor has its weights in `embed.outside`."""
    lists = ("encoders", "controls", "probed", "robustness")
    used = {f"matrix.{one}": getattr(chosen.matrix, one) for one in lists}
    used["embed.control_seeds"] = list(chosen.embed.control_seeds)
    if wrong := encoder_names.unknown(used, chosen.embed.outside):
        raise ConfigError(
            "\n".join(f"{name}: {one}" for one in wrong[:MAX_ERRORS]),
            allowed=", ".join(encoder_names.names()),
            fix=f"edit {name}",
        )


def _check_lead_sets(chosen: Settings, name: str) -> None:
    """Raise ConfigError for a set of one lead that gives an encoder of the independent leads no token."""
    of_model = {"cgdmer", "random"} if chosen.model.leads == "independent" else set()
    independent = (of_model | {"cgdmer_base"}).intersection(chosen.matrix.robustness)
    lone = [leads[0] for leads in chosen.robustness.lead_sets if len(leads) == 1 and leads[0] in DEPENDENT]
    if independent and lone:
        raise ConfigError(
            f"{name}: 'robustness.lead_sets' holds {lone[0]} alone, from which {' and '.join(sorted(independent))} can "
            "compute nothing",
            allowed="I, II, a chest lead, or any two limb leads",
            fix=f"edit robustness.lead_sets in {name}",
        )


def merge(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """Return `base` updated with `overlay`, recursively."""
    merged = dict(base)
    for key, value in overlay.items():
        previous = merged.get(key)
        merged[key] = merge(previous, value) if isinstance(previous, dict) and isinstance(value, dict) else value
    return merged


def _explain(name: str, item: Any) -> str:
    """Turn one pydantic error into a sentence with the full path and the closest key."""
    path = ".".join(str(key) for key in item["loc"] if key != "[key]")
    if item["type"] == "extra_forbidden":
        return f"{name}: '{path}' is unknown{did_you_mean(str(item['loc'][-1]), _keys_at(item['loc'][:-1]))}"
    shown = repr(item["input"])
    return f"{name}: '{path}' = {shown if len(shown) <= 200 else f'{shown[:200]}...'}: {item['msg']}"


def _keys_at(location: tuple[Any, ...]) -> list[str]:
    """Return the keys allowed at a location in the settings, which is a path of keys."""
    section: type[Section] = Settings
    for key in location:
        if key == "corpora":
            return list(Corpus.model_fields)
        field = section.model_fields.get(str(key))
        if field is None or not (isinstance(field.annotation, type) and issubclass(field.annotation, Section)):
            return []
        section = field.annotation
    return list(section.model_fields)
