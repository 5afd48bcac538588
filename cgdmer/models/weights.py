"""Building a model from settings, and a model on disk: weights.safetensors, config.json and tokenizer.json."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from cgdmer import settings
from cgdmer.errors import DataError
from cgdmer.files import atomic, read_json, sha256, with_digest, without_digest, write_json
from cgdmer.models import text, tokens
from cgdmer.models.cgdmer import CGDMER
from cgdmer.signals.leads import LEADS

WEIGHTS, CONFIG = "weights.safetensors", "config.json"
FORMAT = 2
"""Format of `config.json`; format 1 had no checksums."""
SECTIONS = {
    "model": settings.Model,
    "masking": settings.Masking,
    "objective": settings.Objective,
    "signal": settings.Signal,
}


LoadPretrained = Callable[[str, int, int, str | None], tuple[text.HuggingFaceText, tokens.Tokenizer]]
"""Loads an encoder by name, longest report, number of frozen layers and revision."""


def reads_reports(objective: settings.Objective) -> bool:
    """Return True if any objective needs a report encoder."""
    return objective.aligned or max(objective.report_reconstruction, objective.cross_reconstruction) > 0


def create(
    model: settings.Model, masking: settings.Masking, objective: settings.Objective, signal: settings.Signal,
    reports: Iterable[str], seed: int,
    load_pretrained: LoadPretrained = text.load_pretrained,
) -> CGDMER:  # fmt: skip
    """Build a model with weights drawn from `seed`, and a tokenizer trained on `reports` or taken from `model.text`.

    When no objective reads reports, the model has no report encoder and no tokenizer. `load_pretrained` loads the
    encoder that `model.text` names.
    """
    tokenizer = text_model = None
    if reads_reports(objective) and model.text:
        text_model, tokenizer = load_pretrained(
            model.text, model.max_tokens, model.text_frozen_layers, model.text_revision
        )
    elif reads_reports(objective):
        tokenizer = tokens.train(reports, model.vocabulary, model.max_tokens)
    torch.manual_seed(seed)
    return CGDMER(model, masking, objective, signal, tokenizer, text_model)


def save(folder: Path, model: CGDMER, signal: settings.Signal, facts: dict[str, Any]) -> None:
    """Write the model, with `facts` in config.json. Equal content gives equal bytes: no times, no paths."""
    sections = {"model": model.settings, "masking": model.masking, "objective": model.objective, "signal": signal}
    config: dict[str, Any] = {name: section.model_dump() for name, section in sections.items()}
    config |= {"leads": list(LEADS), "unit": "mV", "facts": facts, "format": FORMAT}
    text_model = model.report_encoder.text_model if model.report_encoder else None
    config["text"] = text_model.body.config.to_dict() if isinstance(text_model, text.HuggingFaceText) else None
    if model.tokenizer:
        model.tokenizer.save(folder)
    state = {name: value.detach().cpu().contiguous() for name, value in sorted(model.state_dict().items())}
    with atomic(folder / WEIGHTS) as temporary:
        save_file(state, temporary)
    names = [WEIGHTS, tokens.FILE] if model.tokenizer else [WEIGHTS]
    write_json(folder / CONFIG, with_digest(config | {"files": {name: sha256(folder / name) for name in names}}))


def digest(folder: Path) -> str:
    """Return the hex sha256 over a model's config, weights and tokenizer."""
    files = [folder / name for name in (CONFIG, WEIGHTS, tokens.FILE) if (folder / name).is_file()]
    content = "\n".join(f"{path.name} {sha256(path)}" for path in files)
    return hashlib.sha256(content.encode()).hexdigest()


def load(folder: Path) -> tuple[CGDMER, settings.Signal, dict[str, Any]]:
    """Read a model in eval mode, with the settings of its signals and the facts that were saved with it.

    DataError for a missing or damaged file, or for weights that are not exactly those the config describes.
    """
    fix = f"dvc checkout {folder}, or dvc repro pretrain"
    try:
        config = _checked(folder)
        config["model"].setdefault("decoder_heads", config["model"]["heads"])  # older models: the decoder had the same
        sections: dict[str, Any] = {name: kind(**config[name]) for name, kind in SECTIONS.items()}
        state = load_file(folder / WEIGHTS)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise DataError(f"{folder} is no model of this package: {error}", fix=fix) from error
    tokenizer = tokens.load(folder, sections["model"].max_tokens) if (folder / tokens.FILE).is_file() else None
    text_model = text.build_from_config(config["text"]) if config["text"] else None
    model = CGDMER(**sections, tokenizer=tokenizer, text=text_model)
    try:
        model.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise DataError(f"{folder / WEIGHTS} does not fit {CONFIG}: {error}", fix=fix) from error
    return model.eval(), sections["signal"], config["facts"]


def _checked(folder: Path) -> dict[str, Any]:
    """Read the config and compare all checksums; ValueError names the file that differs."""
    try:
        config: dict[str, Any] = read_json(folder / CONFIG)
        config = without_digest(config) if config["format"] == FORMAT else config
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{CONFIG}: {error}") from error
    if config["format"] not in (1, FORMAT):
        raise ValueError(f"{CONFIG} has format {config['format']}, supported are 1 and {FORMAT}")
    if config["format"] == FORMAT:
        for name, expected in config["files"].items():
            if sha256(folder / name) != expected:
                raise ValueError(f"{name} differs from its sha256 in {CONFIG}")
    return config
