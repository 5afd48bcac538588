"""`cgdmer check SOURCE`: describe a corpus, what of it is present or missing, and which records failed a check."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cgdmer import datasets, environment, paths, stage_code, tables
from cgdmer.errors import ConfigError, DataError, did_you_mean
from cgdmer.files import named, read_json
from cgdmer.settings import Corpus, Settings

STAGES = {"raw": "acquire", "index": "index", "shards": "shards", "validation": "validate"}
"""The artefacts in the order of the pipeline, each with the stage that writes it."""
PATIENCE = 120
"""Seconds to wait for `dvc status`."""


def describe(source: str, failed: str | None, settings: Settings) -> tuple[bool, str]:
    """Return whether the corpus is complete and up to date as far as validation, and a description.

    ConfigError for an unknown source or expectation; DataError if the corpus has not been validated yet.
    """
    sources: list[str] = list(settings.corpora)
    if source not in sources:
        raise ConfigError(f"no source is called '{source}'{did_you_mean(source, sources)}", allowed=", ".join(sources))
    if failed:
        return _failed(source, failed)
    return _summary(source, settings)


def _summary(source: str, settings: Settings) -> tuple[bool, str]:
    module = datasets.module(source)
    corpus = next(value for key, value in settings.corpora.items() if key == source)
    root = corpus.root or environment.read().raw_root
    lines = [
        f"{source}: {module.URL}",
        f"  licence      {module.LICENCE}",
        f"  way          {corpus.way}" + (f", looking in {root}" if root else ", CGDMER_RAW_ROOT is not set"),
    ]
    present = [getattr(paths, artefact)(source).exists() for artefact in STAGES]
    stale = _stale(source) if any(present) else set()
    for name, there in zip(STAGES, present, strict=True):
        note = ", STALE: made outside DVC, or its inputs have changed since" if there and name in stale else ""
        lines.append(f"  {name:<12} {_state(source, name, there)}{note}")
    if not present[0]:
        lines += _copy(source, corpus) or _ways(source, corpus, module)
    wanting = [name for name, there in zip(STAGES, present, strict=True) if not there or name in stale]
    if wanting:
        lines.append(f"  next         dvc repro {STAGES[wanting[0]]}@{source}")
    return not wanting, "\n".join(lines)


def _stale(source: str) -> set[str]:
    """Return the artefacts that differ from what `dvc repro` would make now; none outside a DVC project."""
    if not (Path("dvc.lock").is_file() and Path("dvc.yaml").is_file()):
        return set()
    command = [sys.executable, "-m", "dvc", "status", "--json", *(f"{stage}@{source}" for stage in STAGES.values())]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
        changed: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise DataError("`dvc status` fails, so it is not known what is stale", fix="dvc status") from error
    edited = _edited(source)
    return {name for name, stage in STAGES.items() if f"{stage}@{source}" in changed or stage in edited}


def _edited(source: str) -> set[str]:
    """Return the stages whose code is not the one that stage `code` last saw, which `dvc status` does not tell."""
    edited = set()
    for stage in STAGES.values():
        path = paths.code(f"{stage}-{source}" if stage in stage_code.BY_ITEM else stage)
        if path.is_file() and read_json(path) != stage_code.digests(stage_code.begins(stage, source)):
            edited.add(stage)
    return edited


def _copy(source: str, corpus: Corpus) -> list[str]:
    """Say which local copy stage `acquire` would use; nothing if it would find none, or may not look for one.

    DataError if it could not decide.
    """
    root = datasets.local_root(source, corpus)
    return [] if root is None else [f"  copy found   {root}"]


def _ways(source: str, corpus: Corpus, module: Any) -> list[str]:
    """Return the ways to get a corpus of which neither an artefact nor a copy is present."""
    names = ", ".join(name for name in [source, *module.ALIASES] if len(name) < 40)
    looked = "none found; " if corpus.root or corpus.way in ("auto", "local") else ""
    return [
        f"  a copy       {looked}put it into a folder as {names} (or .zip); export CGDMER_RAW_ROOT=/that/folder",
        f"  download     set corpora.{source}.way: download in params.yaml; you thereby accept its licence",
        f"  simulated    set corpora.{source}.way: simulate, or auto without a copy; not recorded from people",
    ]


def _state(source: str, artefact: str, present: bool) -> str:
    """Summarise what an artefact holds; DataError if it is damaged."""
    if not present:
        return "missing"
    path = getattr(paths, artefact)(source)
    with named(path, f"dvc checkout --force {path}; or dvc repro --force --single-item {STAGES[artefact]}@{source}"):
        return _content(source, artefact)


def _content(source: str, artefact: str) -> str:
    if artefact == "raw":
        manifest: dict[str, Any] = read_json(paths.raw(source) / "manifest.json")
        return f"{manifest['way']}, {manifest['files']} files, {manifest['bytes'] / 1e6:.1f} MB"
    if artefact == "index":
        return f"{tables.read(paths.index(source)).height} records, {_quarantined(source)}"
    if artefact == "shards":
        return f"{read_json(paths.shards(source) / 'manifest.json')['records']} records"
    result = read_json(paths.validation(source) / "result.json")
    return "passed" if result["success"] is True else f"failed: {', '.join(result['critical_failed'])}"


def _quarantined(source: str) -> str:
    """Return how many records are quarantined, with the most frequent reason."""
    quarantine = tables.read(paths.index_quarantine(source))
    if quarantine.is_empty():
        return "0 quarantined"
    reason = quarantine["reason"].value_counts().sort("count", "reason", descending=[True, False])["reason"][0]
    return f"{quarantine.height} quarantined, most often: {reason} ({paths.index_quarantine(source)})"


def _failed(source: str, expectation: str) -> tuple[bool, str]:
    """Return whether no record failed an expectation, and the records that did."""
    if not (paths.validation(source) / "result.json").exists():
        raise DataError(f"{source} has not been validated yet", fix=f"dvc repro validate@{source}")
    from cgdmer import validation

    folder = paths.validation(source)
    with named(folder, f"dvc repro --force --single-item validate@{source}"):
        rows = validation.failing_rows(source, expectation)
    return rows.is_empty(), f"{source}, {expectation}: {rows.height} records\n{rows}"
