"""A probe of one's own labels as a folder `*.probe`: one linear layer, and a card with its numbers.

The card identifies the encoder, the form of the signals and the layer by their digests. It names no recording, no
patient and no path.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, get_origin

import numpy as np

from cgdmer.errors import ConfigError, DataError, printable
from cgdmer.files import (
    check_regular,
    new_folder,
    read_json,
    sha256,
    with_digest,
    without_digest,
    write_json,
    write_text,
)
from cgdmer.json_dataclass import Json
from cgdmer.probing import linear_probe_io, reference
from cgdmer.probing.label_probe import LabelNumbers
from cgdmer.probing.linear_probe_io import FittedLayer, FittedProbe
from cgdmer.probing.reference import Reference

SUFFIX = ".probe"
CARD, TEXT, LAYER = "card.json", "README.md", "layer.probe.safetensors"
REFERENCE = f"layer{reference.SUFFIX}"
"""Quantiles of the out-of-fold scores; a probe of an earlier version has none."""
SCORED = "recordings of `cgdmer fit`, scored out of fold"
"""What the reference recordings are."""
MAX_CARD, MAX_LAYER = 1 << 24, 1 << 30
"""Bytes."""
MEASUREMENTS = "measurements"
"""Name of the hand-crafted features beside those of the encoder."""
MEASUREMENTS_VERSION = 2
"""Raised with every change of the hand-crafted features: a probe of other measurements is refused."""


@dataclass(frozen=True)
class LabelCard(Json):
    """What a probe was fitted on, and what it reaches."""

    cgdmer: str
    """Version of the program."""
    representations: list[str]
    """Representations whose columns, side by side, are the input of the layer."""
    encoder: str
    encoder_digest: str
    """'' if the layer reads measurements only."""
    encoder_saw: str
    """Origin of the recordings that the encoder was pretrained on."""
    measurements_version: int
    """0 if the layer reads no measurements."""
    signal: dict[str, Any]
    """The canonical form of the signals."""
    seconds: float
    start: float
    recordings: int
    """With at least one label."""
    patients: int
    patients_named: bool
    """False if each recording counted as a patient of its own, unless it was identical to another one."""
    table_sha256: str
    """Of the table of labels."""
    labels: dict[str, LabelNumbers]
    left_out: dict[str, str]
    """Labels that could not be fitted, with the reason."""
    copies: int = 0
    """Recordings that are identical to an earlier one, with which they count as one patient."""

    @property
    def description(self) -> str:
        """Say what the probe was fitted on, in one line."""
        named = f"{self.patients} patients" if self.patients_named else "patients not named"
        return f"{self.recordings} recordings ({named}), {' and '.join(self.representations)} features"


@dataclass(frozen=True, eq=False)
class LabelProbe:
    """The calibrated layer of a folder, and its card."""

    name: str
    """The folder's name without its suffix."""
    card: LabelCard
    layer: FittedLayer
    reference: Reference | None = None
    """Of the out-of-fold scores, calibrated as the layer; None for a probe of an earlier version."""

    @property
    def classes(self) -> list[str]:
        return list(self.card.labels)

    def logits(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return calibrated log odds (n, C), at the prevalence of the labels that were fitted."""
        columns = np.concatenate([features[name] for name in self.card.representations], axis=1)
        logits: np.ndarray = columns.astype(np.float64) @ self.layer.coef + self.layer.intercept
        return logits

    def check_fits(self, encoder: str, digest: str, dims: Mapping[str, int], signal: Mapping[str, Any]) -> None:
        """Raise DataError if the probe was fitted for another encoder, other measurements or other signals."""
        card = self.card
        if card.encoder_digest and card.encoder_digest != digest:
            problem = f"encoder {card.encoder} {card.encoder_digest[:12]}, this one is {encoder} {digest[:12]}"
        elif card.measurements_version not in (0, MEASUREMENTS_VERSION):
            problem = f"version {card.measurements_version} of the measurements, these are {MEASUREMENTS_VERSION}"
        elif card.signal != dict(signal):
            problem = "another sampling rate, length or filter of the signals"
        elif sum(dims.get(name, 0) for name in card.representations) != len(self.layer.coef):
            problem = f"{len(self.layer.coef)} features, which {' and '.join(card.representations)} do not have"
        else:
            return
        raise DataError(
            f"the probe {self.name}{SUFFIX} is fitted for {problem}",
            allowed="the encoder that it was fitted for",
            fix="--model FOLDER of that encoder, or fit the probe again",
        )


def check_new(folder: Path, *, overwrite: bool) -> None:
    """Raise ConfigError unless a probe may be written to a folder: a new one, or a probe with `overwrite`."""
    shown = printable(str(folder))
    if folder.suffix != SUFFIX or folder.stem in ("", SUFFIX) or not folder.stem.isprintable():
        raise ConfigError(f"--output {shown}", allowed=f"the name of a folder *{SUFFIX}", fix=f"--output my{SUFFIX}")
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir() or not set(os.listdir(folder)) <= {CARD, TEXT, LAYER, REFERENCE}:
        raise ConfigError(
            f"--output: {shown} is no probe, or holds other files",
            allowed="a new name, or a probe of this program", fix="name another folder",
        )  # fmt: skip
    if not overwrite:
        raise ConfigError(f"--output: {shown} exists already", allowed="a new name", fix="--overwrite replaces a probe")


def save(
    folder: Path, card: LabelCard, layer: FittedLayer, text: str, scores: Sequence[np.ndarray] | None = None
) -> None:
    """Write a probe as a folder that appears when it is complete; `check_new` has allowed to replace an earlier one.

    `scores` are the out-of-fold log odds (n,) of each label. The same content gives the same bytes.
    """
    inputs = "+".join(card.representations)
    probe = FittedProbe(folder.stem, list(card.labels), card.encoder, card.encoder_digest, {inputs: layer})
    with _replacing(folder), new_folder(folder) as temporary:
        linear_probe_io.save(temporary / LAYER, probe)
        write_text(temporary / TEXT, text)
        if scores is not None:
            kept = reference.of_scores(SCORED, sha256(temporary / LAYER), probe.classes, scores)
            reference.save(temporary / REFERENCE, kept)
        files = {name: sha256(temporary / name) for name in (LAYER, TEXT, REFERENCE) if (temporary / name).exists()}
        write_json(temporary / CARD, with_digest({**card.to_json(), "files": files}))


@contextmanager
def _replacing(folder: Path) -> Iterator[None]:
    """Move a folder aside while another is written in its place; put it back if that fails, else remove it."""
    if not folder.is_dir():
        yield
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        folder.rename(aside / folder.name)
        yield
    finally:
        if not folder.exists():
            (aside / folder.name).rename(folder)
        shutil.rmtree(aside)


def _check(card: LabelCard, name: str) -> None:
    """Raise ValueError for a card whose fields are of other types or out of bounds, or with names not to be printed."""
    parts: list[Any] = [card, *card.labels.values(), *(numbers.auroc for numbers in card.labels.values())]
    for one in parts:
        for each in fields(one):
            value, kind = getattr(one, each.name), get_origin(each.type) or each.type
            good = isinstance(value, (int, float) if kind is float else kind)  # type: ignore[arg-type]
            if not good or (kind is float and not np.isfinite(value)):
                raise ValueError(f"{each.name} is no {getattr(kind, '__name__', kind)}")
    names = [name, card.cgdmer, card.encoder, *card.representations, *card.labels, *card.left_out]
    if not all(isinstance(text, str) and text.isprintable() for text in names):
        raise ValueError("a name is not printable")
    if not all(0 < numbers.prevalence < 1 for numbers in card.labels.values()):
        raise ValueError("a prevalence is not between 0 and 1")


def load(folder: Path) -> LabelProbe:
    """Read a probe from its folder; DataError if it is missing, damaged or was edited."""
    shown = printable(str(folder))
    if not (folder / CARD).is_file():
        raise DataError(
            f"{shown} is no probe of one's own labels", allowed=f"a folder *{SUFFIX}", fix="cgdmer fit LABELS PATHS"
        )
    try:
        content = without_digest(read_json(folder / CARD, MAX_CARD))
        check_regular(folder / LAYER, MAX_LAYER)
        if sha256(folder / LAYER) != content["files"][LAYER]:
            raise ValueError(f"{LAYER} was changed")
        card = LabelCard.from_json(content)
        _check(card, folder.stem)
        probe = linear_probe_io.load(folder / LAYER)
        (layer,) = probe.layers.values()
        if sorted(probe.classes) != sorted(card.labels) or not card.labels:
            raise ValueError(f"{LAYER} is of other labels")
        card = replace(card, labels={name: card.labels[name] for name in probe.classes})  # JSON sorts its keys
        if not (np.isfinite(layer.coef).all() and np.isfinite(layer.intercept).all()):
            raise ValueError(f"{LAYER} holds numbers that are not finite")
        kept = _reference(folder, content["files"], probe.classes)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, DataError) as error:
        reason = error.problem if isinstance(error, DataError) else str(error)
        raise DataError(f"{shown} is damaged: {printable(reason)[:120]}", fix="fit the probe again") from error
    return LabelProbe(folder.stem, card, layer, kept)


def _reference(folder: Path, digests: Mapping[str, str], classes: Sequence[str]) -> Reference | None:
    """Return the reference that the card lists; None if it lists none. ValueError or DataError if it is damaged."""
    if REFERENCE not in digests:
        return None
    check_regular(folder / REFERENCE, reference.MAX_BYTES)
    if sha256(folder / REFERENCE) != digests[REFERENCE]:
        raise ValueError(f"{REFERENCE} was changed")
    return reference.load(folder / REFERENCE, digests[LAYER], classes, "fit the probe again")
