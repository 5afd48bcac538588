"""Probes of one's own labels in `cgdmer score`: loading, another prevalence, their columns and what is said of them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cgdmer.commands.outputs import Columns
from cgdmer.encoders.handcrafted import Handcrafted
from cgdmer.encoders.pretrained import Pretrained
from cgdmer.errors import ConfigError, did_you_mean
from cgdmer.files import sha256
from cgdmer.probing import calibration, label_probe_io
from cgdmer.probing.label_probe_io import MEASUREMENTS, LabelProbe
from cgdmer.probing.solver import sigmoid

log = logging.getLogger(__name__)

EXAMPLE = "--recalibrate LABEL=0.02, or --recalibrate 0.02 for a probe of one label"


def is_own(name: str) -> bool:
    """Return True if `--probe` names the folder of a probe of one's own labels, not a task or a file."""
    return name.rstrip("/").endswith(label_probe_io.SUFFIX)


@dataclass(frozen=True)
class OwnProbes:
    """The probes by folder, and the prevalence of each label whose probabilities are shifted."""

    probes: dict[Path, LabelProbe]
    prevalences: dict[str, float]

    @property
    def files(self) -> list[Path]:
        names = (label_probe_io.CARD, label_probe_io.LAYER, label_probe_io.REFERENCE)
        return [folder / name for folder in self.probes for name in names]

    @property
    def read_measurements(self) -> bool:
        return any(MEASUREMENTS in probe.card.representations for probe in self.probes.values())

    @property
    def names(self) -> list[str]:
        """The columns of their probabilities."""
        return [f"probe/{probe.name}/{label}" for probe in self.probes.values() for label in probe.classes]

    def columns(self, features: dict[str, np.ndarray]) -> Columns:
        """Return the calibrated probability of each label, float32 (n,), at its known prevalence if one is stated."""
        made: dict[str, Any] = {}
        for probe in self.probes.values():
            logits = probe.logits(features)
            for column, label in enumerate(probe.classes):
                shifted = logits[:, column] + self.shift(probe, label)
                made[f"probe/{probe.name}/{label}"] = sigmoid(shifted).astype(np.float32)
        return made

    def shift(self, probe: LabelProbe, label: str) -> float:
        """Return what is added to the log odds of a label for its known prevalence; 0 if none is stated."""
        fitted = probe.card.labels[label].prevalence
        return calibration.prevalence_shift(fitted, self.prevalences.get(label, fitted))

    def metadata(self) -> list[dict[str, Any]]:
        """Return what the metadata of the output say of them."""
        return [
            {
                "task": probe.name,
                "classes": probe.classes,
                "representation": "+".join(probe.card.representations),
                "sha256": sha256(folder / label_probe_io.LAYER),
                "prevalence": {name: one.prevalence for name, one in probe.card.labels.items()},
                "recalibrated": {name: value for name, value in self.prevalences.items() if name in probe.classes},
            }
            for folder, probe in self.probes.items()
        ]

    def check(self, encoder: Pretrained, seconds: float, start: float) -> None:
        """Raise DataError for a probe of another encoder; warn if other seconds of the recordings are scored."""
        form = encoder.form.model_dump()
        dims = encoder.dims | {MEASUREMENTS: Handcrafted(encoder.form).dims["pooled"]}
        for probe in self.probes.values():
            card = probe.card
            probe.check_fits(encoder.name, encoder.digest, dims, form)
            if (card.seconds, card.start) != (seconds, start):
                log.warning(
                    "a probe was fitted on %g seconds from second %g, and %g seconds from second %g are scored: "
                    "its probabilities may not be calibrated",
                    card.seconds, card.start, seconds, start,
                )  # fmt: skip

    def text(self) -> str:
        """Say with what the probabilities were calibrated."""
        lines = []
        for probe in self.probes.values():
            lines.append(f"{probe.name}: calibrated by `cgdmer fit` on {probe.card.description}")
            for label, numbers in probe.card.labels.items():
                known = self.prevalences.get(label)
                shifted = "" if known is None else f", shifted to a prevalence of {100 * known:.3g} %"
                lines.append(
                    f"  {label}: {numbers.positives:,} of {numbers.recordings:,} have it "
                    f"({100 * numbers.prevalence:.1f} %), AUROC {numbers.auroc.text()} in cross-validation{shifted}"
                )
        return "\n".join(lines)


def load(names: Sequence[str], recalibrate: Sequence[str], representation: str | None) -> OwnProbes:
    """Load the probes of the folders; ConfigError for two of one name, or options that do not fit them."""
    probes = {folder: label_probe_io.load(folder) for folder in dict.fromkeys(Path(name) for name in names)}
    called = [probe.name for probe in probes.values()]
    if len(set(called)) < len(called):
        raise ConfigError(f"two probes are called {max(called, key=called.count)}", allowed="one probe per name")
    for probe in probes.values():
        if representation is not None and representation not in probe.card.representations:
            raise ConfigError(
                f"the probe {probe.name} reads {' and '.join(probe.card.representations)}, not '{representation}'",
                allowed="no --representation: the probe knows its own",
            )
    return OwnProbes(probes, _prevalences(recalibrate, list(probes.values())))


def _prevalences(words: Sequence[str], probes: Sequence[LabelProbe]) -> dict[str, float]:
    """Return the known prevalence by label from `LABEL=PREVALENCE`, or one number if there is only one label."""
    labels = list(dict.fromkeys(label for probe in probes for label in probe.classes))
    if words and not labels:
        raise ConfigError(
            "--recalibrate needs a probe that states the prevalence it was fitted at",
            allowed="a probe of `cgdmer fit`", fix="--probe my.probe",
        )  # fmt: skip
    known: dict[str, float] = {}
    for word in words:
        label, equals, number = word.rpartition("=")
        if not equals and len(labels) > 1:
            raise ConfigError(
                f"--recalibrate {word[:40]}: of which label?", allowed=", ".join(labels)[:400], fix=EXAMPLE
            )
        label = label if equals else labels[0]
        if label not in labels or label in known:
            what = "is stated twice" if label in known else f"is of no probe{did_you_mean(label, labels)}"
            raise ConfigError(
                f"--recalibrate: label '{label[:40]}' {what}", allowed=", ".join(labels)[:400], fix=EXAMPLE
            )
        known[label] = _prevalence(number)
    return known


def _prevalence(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < 1:
        raise ConfigError(f"--recalibrate: the prevalence '{text[:40]}'", allowed="above 0 and below 1", fix=EXAMPLE)
    return value
