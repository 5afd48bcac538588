"""Owns a model as files: weights.safetensors, config.json, tokenizer.json; and building one from settings."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from cgdmer import settings
from cgdmer.errors import DataError
from cgdmer.files import atomic, read_json, sealed, sha256, unsealed, write_json
from cgdmer.models import text, tokens
from cgdmer.models.cgdmer import CGDMER
from cgdmer.signals.leads import LEADS

WEIGHTS, CONFIG = "weights.safetensors", "config.json"
FORMAT = 2
"""Of `config.json`; one of format 1 has no checksums."""
SECTIONS = {
    "model": settings.Model,
    "masking": settings.Masking,
    "objective": settings.Objective,
    "signal": settings.Signal,
}


def create(
    model: settings.Model, masking: settings.Masking, objective: settings.Objective, signal: settings.Signal,
    reports: Iterable[str], seed: int,
) -> CGDMER:  # fmt: skip
    """Build the model with weights drawn from `seed`, and a tokenizer trained on `reports` or taken from `model.text`.

    Without a term that reads reports there is no report tower.
    """
    reads = max(objective.contrastive, objective.report_reconstruction, objective.cross_reconstruction) > 0
    tokenizer = named = None
    if reads and model.text:
        named, tokenizer = text.fetch(model.text, model.max_tokens, model.text_frozen_layers)
    elif reads:
        tokenizer = tokens.train(reports, model.vocabulary, model.max_tokens)
    torch.manual_seed(seed)
    return CGDMER(model, masking, objective, signal, tokenizer, named)


def save(folder: Path, model: CGDMER, signal: settings.Signal, facts: dict[str, Any]) -> None:
    """Write the model; `facts` (no time, no path) go into config.json. The same weights give the same bytes."""
    sections = {"model": model.settings, "masking": model.masking, "objective": model.objective, "signal": signal}
    config: dict[str, Any] = {name: section.model_dump() for name, section in sections.items()}
    config |= {"leads": list(LEADS), "unit": "mV", "facts": facts, "format": FORMAT}
    named = model.report.body if model.report else None
    config["text"] = named.body.config.to_dict() if isinstance(named, text.NamedText) else None
    if model.tokenizer:
        model.tokenizer.save(folder)
    state = {name: value.detach().cpu().contiguous() for name, value in sorted(model.state_dict().items())}
    with atomic(folder / WEIGHTS) as temporary:
        save_file(state, temporary)
    names = [WEIGHTS, tokens.FILE] if model.tokenizer else [WEIGHTS]
    write_json(folder / CONFIG, sealed(config | {"files": {name: sha256(folder / name) for name in names}}))


def digest(folder: Path) -> str:
    """Return the hex sha256 that names a model: of its weights, config and tokenizer."""
    files = [folder / name for name in (CONFIG, WEIGHTS, tokens.FILE) if (folder / name).is_file()]
    content = "\n".join(f"{path.name} {sha256(path)}" for path in files)
    return hashlib.sha256(content.encode()).hexdigest()


def load(folder: Path) -> tuple[CGDMER, settings.Signal, dict[str, Any]]:
    """Read a model strictly, ready for inference, with the form of its signals and its facts.

    DataError for a missing or damaged file, or weights that are not exactly those the config describes.
    """
    fix = f"dvc checkout {folder}, or dvc repro pretrain"
    try:
        config = _checked(folder)
        sections: dict[str, Any] = {name: kind(**config[name]) for name, kind in SECTIONS.items()}
        state = load_file(folder / WEIGHTS)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise DataError(f"{folder} is no model of this package: {error}", fix=fix) from error
    tokenizer = tokens.load(folder, sections["model"].max_tokens) if (folder / tokens.FILE).is_file() else None
    named = text.rebuild(config["text"]) if config["text"] else None
    model = CGDMER(**sections, tokenizer=tokenizer, text=named)
    try:
        model.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise DataError(f"{folder / WEIGHTS} does not fit {CONFIG}: {error}", fix=fix) from error
    return model.eval(), sections["signal"], config["facts"]


def _checked(folder: Path) -> dict[str, Any]:
    """Return a config after comparing all checksums; ValueError names the file that differs."""
    try:
        config: dict[str, Any] = read_json(folder / CONFIG)
        config = unsealed(config) if config["format"] == FORMAT else config
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{CONFIG}: {error}") from error
    if config["format"] not in (1, FORMAT):
        raise ValueError(f"{CONFIG} has format {config['format']}, known are 1 and {FORMAT}")
    if config["format"] == FORMAT:
        for name, stated in config["files"].items():
            if sha256(folder / name) != stated:
                raise ValueError(f"{name} differs from its sha256 in {CONFIG}")
    return config
