"""`cgdmer fit`: fit a probe on one's own labels and write it as a folder that `cgdmer score` reads."""

import os
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

import cgdmer
from cgdmer.api import load_encoder
from cgdmer.commands import destinations, encoder_choice, label_probe_text, provenance
from cgdmer.commands.embed import MAX_START, Request, output_metadata
from cgdmer.commands.encoding import encoding
from cgdmer.commands.label_matching import Matches, examples, match
from cgdmer.commands.outputs import SOME_REJECTED, Rejects
from cgdmer.encoders.pretrained import Pretrained
from cgdmer.errors import ConfigError, DataError, did_you_mean, printable
from cgdmer.files import sha256
from cgdmer.probing import label_probe_io, label_table
from cgdmer.probing.label_probe import LabelFit, Unfit, fit_label, joined
from cgdmer.probing.label_probe_io import MEASUREMENTS, MEASUREMENTS_VERSION, LabelCard
from cgdmer.probing.label_table import ColumnNames, LabelTable
from cgdmer.probing.linear_probe_io import FittedLayer
from cgdmer.progress import terminal_bar
from cgdmer.recordings import RecordingPath, find_recordings
from cgdmer.recordings.batches import map_batches
from cgdmer.recordings.discovery import Rejected

FEATURES = ("learned", "measurements", "both")


@dataclass(frozen=True)
class FitOptions:
    """The table of labels, and the features that the probe reads."""

    table: Path
    columns: ColumnNames = field(default_factory=ColumnNames)
    features: str = "learned"
    representation: str | None = None
    """Of the encoder; None for `pooled`."""

    def representations(self, encoder: Pretrained) -> list[str]:
        """Return the names of the features; ConfigError for one that does not exist."""
        if self.features == MEASUREMENTS and self.representation is not None:
            raise ConfigError("--representation is of no use with --features measurements", allowed="one of the two")
        learned = "pooled" if self.representation is None else self.representation
        if learned not in encoder.dims:
            names = sorted(encoder.dims)
            raise ConfigError(
                f"--representation {learned}: the encoder has none of that name{did_you_mean(learned, names)}",
                allowed=", ".join(names),
            )
        return {"learned": [learned], "both": [learned, MEASUREMENTS]}.get(self.features, [MEASUREMENTS])


@dataclass(frozen=True, eq=False)
class Labelled:
    """The recordings that have a row and could be read."""

    features: np.ndarray
    """float32 (n, D)."""
    rows: np.ndarray
    """Their rows in the table, (n,)."""
    digests: np.ndarray
    """Of their signals, (n,)."""
    rejected: int


@dataclass(frozen=True)
class FitOutcome:
    """The exit code and what is printed: 0 only if every row and every label was used."""

    code: int
    text: str


def fit(request: Request, model: str | None, options: FitOptions) -> FitOutcome:
    """Fit a probe of each label, write the folder `request.output`, and return what the probe reaches.

    ConfigError for wrong options; DataError for a table that cannot be used or if no label can be fitted.
    """
    _claim(request, options.table)
    table = label_table.read(options.table, options.columns)
    model = encoder_choice.choose(model)
    encoder = load_encoder(model)
    names = options.representations(encoder)
    matches = _matches(request, options.table, table)
    labelled = _encode(request, encoder, names, matches)
    patients = _patients(table, labelled)
    fits, left_out = _fit_labels(table, labelled, patients)
    card = _card(request, options, table, encoder, labelled, patients, fits, left_out)
    if card.encoder_digest:
        card = replace(card, encoder_saw=provenance.of_model(model))
    coef = np.column_stack([one.coef for one in fits.values()])
    layer = FittedLayer(coef, np.array([one.intercept for one in fits.values()]))
    scores = [one.calibrated for one in fits.values()]
    label_probe_io.save(request.output, card, layer, label_probe_text.page(request.output.stem, card), scores)
    complete = not (labelled.rejected or left_out or matches.rows_without_recording)
    text = label_probe_text.summary(request, card, matches, table, labelled.rejected)
    return FitOutcome(0 if complete else SOME_REJECTED, text)


def _card(
    request: Request, options: FitOptions, table: LabelTable, encoder: Pretrained, labelled: Labelled,
    patients: np.ndarray, fits: dict[str, LabelFit], left_out: dict[str, str],
) -> LabelCard:  # fmt: skip
    names = options.representations(encoder)
    learned = names != [MEASUREMENTS]
    known = np.any([~np.isnan(values[labelled.rows]) for values in table.labels.values()], axis=0)
    return LabelCard(
        cgdmer=cgdmer.__version__,
        representations=names,
        encoder=encoder.name if learned else "",
        encoder_digest=encoder.digest if learned else "",
        encoder_saw="",
        measurements_version=MEASUREMENTS_VERSION if MEASUREMENTS in names else 0,
        signal=encoder.form.model_dump(),
        seconds=output_metadata(request, encoder)["seconds"],
        start=request.start,
        recordings=int(known.sum()),
        patients=len(np.unique(patients[known])),
        patients_named=table.patients is not None,
        table_sha256=sha256(options.table),
        labels={name: one.numbers for name, one in fits.items()},
        left_out=left_out,
        copies=int(known.sum()) - len(np.unique(labelled.digests[known])),
    )


def _claim(request: Request, table: Path) -> None:
    """Check the options and the place of the output before anything is read."""
    if not 0 <= request.start <= MAX_START:
        raise ConfigError(f"--start {request.start:g}", allowed=f"seconds from 0 to {MAX_START:,}", fix="--start 0")
    label_probe_io.check_new(request.output, overwrite=request.overwrite)
    inputs = [path for path in request.paths if path != "-"]
    destinations.claim_file(request.rejects, [*inputs, str(table)], request.overwrite)


def _matches(request: Request, table_file: Path, table: LabelTable) -> Matches:
    """Find the recordings and their rows; DataError if no row names a recording. The table itself is no recording."""
    itself = os.path.realpath(table_file)
    recordings = [
        one
        for one in find_recordings(request.paths, request.metadata, sys.stdin.buffer)
        if os.path.realpath(one.id) != itself
    ]
    matches = match(table.recordings, recordings)
    if not matches.recordings:
        raise DataError(
            f"no row of {printable(str(table_file))} names a recording: its first row is "
            f"'{printable(table.recordings[0][:80])}', and {_found(recordings)}",
            allowed="an id of `cgdmer embed`, a path, a file name, or a name without suffix",
            fix="name the right column with --recording COLUMN; for arrays, pass --fs, --unit and --leads",
        )
    return matches


def _found(recordings: Sequence[RecordingPath | Rejected]) -> str:
    """Say how many recordings were found, or why the first path is none."""
    named = [one for one in recordings if isinstance(one, RecordingPath)]
    if named:
        return f"{len(named):,} recordings were found, for example {printable(named[0].id)}"
    refused = [f"{one.id[-80:]} is refused: {one.reason[:80]}" for one in recordings if isinstance(one, Rejected)]
    return f"no recording was found{f'; {refused[0]}' if refused else ''}"


def _encode(request: Request, encoder: Pretrained, names: Sequence[str], matches: Matches) -> Labelled:
    """Compute the features of the recordings that have a row; list those that cannot be read beside the output."""
    row_of = {one.id: row for one, row in zip(matches.recordings, matches.rows, strict=True)}
    seconds = output_metadata(request, encoder)["seconds"]
    features, rows, digests = [], [], []
    bar = terminal_bar(total=len(row_of), unit="record", desc="encoding")
    at_work = encoding(encoder, measurements=MEASUREMENTS in names)
    with Rejects(request.rejects) as rejects, at_work as (work, finish), bar:
        rejects.add(matches.unreadable)
        settings = (request.metadata, encoder.form, seconds)
        with closing(map_batches(matches.recordings, *settings, work, request.start)) as results:
            for encoded in map(finish, results):
                rejects.add(encoded.rejected)
                if encoded.ids:
                    features.append(np.concatenate([encoded.features[name] for name in names], axis=1))
                    rows += [row_of[name] for name in encoded.ids]
                    digests += encoded.digests
                bar.update(len(encoded.ids) + len(encoded.rejected))
    if not rows:
        reasons = "; ".join(printable(reason) for reason, _ in rejects.reasons.most_common(3))
        raise DataError(
            f"none of the {rejects.count} recordings with a row could be used: {reasons}", fix=f"see {request.rejects}"
        )
    return Labelled(np.concatenate(features), np.array(rows), np.array(digests), rejects.count)


def _patients(table: LabelTable, labelled: Labelled) -> np.ndarray:
    """Return the patient (n,) of each recording; one whose patient is not stated is a patient of its own.

    Patients who share an identical recording count as one.
    """
    stated, rows = table.patients or [""] * len(table.recordings), labelled.rows.tolist()
    names = np.array([f"patient {stated[row]}" if stated[row] else f"row {row}" for row in rows], dtype=str)
    return joined(names, labelled.digests)


def _fit_labels(
    table: LabelTable, labelled: Labelled, patients: np.ndarray
) -> tuple[dict[str, LabelFit], dict[str, str]]:
    """Return the fit of each label, and the reason for each that has none; DataError if none could be fitted."""
    fits, left_out = {}, {}
    for name, values in terminal_bar(table.labels.items(), unit="label", desc="fitting"):
        labels = values[labelled.rows]
        known = ~np.isnan(labels)
        try:
            fits[name] = fit_label(labelled.features[known], labels[known], patients[known])
        except Unfit as error:
            left_out[name] = f"{error.problem} (allowed: {error.allowed})"
    if not fits:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in list(left_out.items())[:3])
        alone = _unused_rows(table, labelled)
        names = "correct these names in the table, or " if alone else ""
        raise DataError(
            f"no label can be fitted: {reasons[:700]}{alone}",
            fix=f"{names}add recordings to the table, or other labels",
        )
    return fits, left_out


def _unused_rows(table: LabelTable, labelled: Labelled) -> str:
    """Say how many rows of the table have no recording that could be read, and which; '' if there are none."""
    used = set(labelled.rows.tolist())
    alone = [name for row, name in enumerate(table.recordings) if row not in used]
    why = "name no recording, or one that could not be read" if labelled.rejected else "name no recording"
    return f"; {len(alone):,} of {len(table.recordings):,} rows {why} ({examples(alone)})" if alone else ""
