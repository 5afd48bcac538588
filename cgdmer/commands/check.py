"""Owns `cgdmer check SOURCE`: what a corpus is, whether it is here, what is missing, which records failed what."""

from typing import Any

from cgdmer import environment, paths, tables
from cgdmer.errors import ConfigError, DataError, did_you_mean
from cgdmer.files import read_json
from cgdmer.settings import Settings

ARTEFACTS = ("raw", "index", "shards", "validation")


def describe(source: str, failed: str | None, settings: Settings) -> tuple[bool, str]:
    """Return whether the corpus is complete up to validation, and a text for a person.

    Raises ConfigError for an unknown source or expectation, DataError where nothing was validated yet.
    """
    known: list[str] = list(settings.corpora)
    if source not in known:
        raise ConfigError(f"no source is called '{source}'{did_you_mean(source, known)}", allowed=", ".join(known))
    if failed:
        return _failed(source, failed)
    return _summary(source, settings)


def _summary(source: str, settings: Settings) -> tuple[bool, str]:
    from cgdmer import datasets

    module = datasets.module(source)
    corpus = next(value for key, value in settings.corpora.items() if key == source)
    root = corpus.root or environment.read().raw_root
    lines = [
        f"{source}: {module.URL}",
        f"  licence      {module.LICENCE}",
        f"  way          {corpus.way}" + (f", looking in {root}" if root else ", CGDMER_RAW_ROOT is not set"),
    ]
    present = [getattr(paths, artefact)(source).exists() for artefact in ARTEFACTS]
    lines += [f"  {name:<12} {_state(source, name, there)}" for name, there in zip(ARTEFACTS, present, strict=True)]
    if not present[0]:
        lines += _ways(source, module)
    if not all(present):
        first = ARTEFACTS[present.index(False)]
        stage = {"raw": "acquire", "validation": "validate"}.get(first, first)
        lines.append(f"  next         dvc repro {stage}@{source}")
    return all(present), "\n".join(lines)


def _ways(source: str, module: Any) -> list[str]:
    """Say how a corpus gets here, where nothing of it is here."""
    names = ", ".join(name for name in [source, *module.ALIASES] if len(name) < 40)
    return [
        f"  a copy       put it under a folder as {names} (or .zip); export CGDMER_RAW_ROOT=/that/folder",
        f"  download     set corpora.{source}.way: download in params.yaml; its licence is then accepted by you",
        f"  simulated    corpora.{source}.way: simulate, or auto without a copy: no recording of a person",
    ]


def _state(source: str, artefact: str, present: bool) -> str:
    """Say in a few words what an artefact holds."""
    if not present:
        return "missing"
    if artefact == "raw":
        manifest: dict[str, Any] = read_json(paths.raw(source) / "manifest.json")
        return f"{manifest['way']}, {manifest['files']} files, {manifest['bytes'] / 1e6:.1f} MB"
    if artefact == "index":
        return f"{tables.read(paths.index(source)).height} records, {_quarantined(source)}"
    if artefact == "shards":
        return f"{read_json(paths.shards(source) / 'manifest.json')['records']} records"
    result = read_json(paths.validation(source) / "result.json")
    return "passed" if result["success"] else f"failed: {', '.join(result['critical_failed'])}"


def _quarantined(source: str) -> str:
    """Count the records that cannot be used, with the most frequent reason."""
    refused = tables.read(paths.index_quarantine(source))
    if refused.is_empty():
        return "0 quarantined"
    reason = refused["reason"].value_counts().sort("count", "reason", descending=[True, False])["reason"][0]
    return f"{refused.height} quarantined, most often: {reason} ({paths.index_quarantine(source)})"


def _failed(source: str, expectation: str) -> tuple[bool, str]:
    """List the records that failed an expectation."""
    if not (paths.validation(source) / "result.json").is_file():
        raise DataError(f"{source} was not validated yet", fix=f"dvc repro validate@{source}")
    from cgdmer import validation

    rows = validation.failing_rows(source, expectation)
    return rows.is_empty(), f"{source}, {expectation}: {rows.height} records\n{rows}"
