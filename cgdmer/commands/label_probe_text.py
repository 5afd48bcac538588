"""What `cgdmer fit` prints, and the card in the folder of a probe: the same numbers as text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cgdmer.commands.label_matching import Matches, examples
from cgdmer.errors import printable
from cgdmer.probing.label_probe import FOLDS
from cgdmer.probing.label_probe_io import LabelCard
from cgdmer.probing.label_table import LabelTable

if TYPE_CHECKING:
    from cgdmer.commands.embed import Request

HEADS = ("label", "recordings", "patients", "yes", "prevalence", "AUROC (95 % interval)", "Brier raw", "calibrated",
         "constant", "calibration error raw", "calibrated")  # fmt: skip
NO_PATIENTS = (
    "No column 'patient': every recording counts as a patient of its own. If patients have several recordings, "
    "the numbers are too good."
)
COPIES = "recordings identical to an earlier one, with which they count as one patient"


def rows(card: LabelCard) -> list[tuple[str, ...]]:
    """Return the cells of the table of labels, without its heads."""
    return [
        (
            name, f"{n.recordings:,}", f"{n.patients:,}", f"{n.positives:,}", f"{100 * n.prevalence:.1f} %",
            n.auroc.text(), f"{n.brier:.3f}", f"{n.brier_calibrated:.3f}", f"{n.brier_constant:.3f}",
            f"{n.calibration_error:.3f}", f"{n.calibration_error_calibrated:.3f}",
        )
        for name, n in card.labels.items()
    ]  # fmt: skip


def summary(request: "Request", card: LabelCard, matches: Matches, table: LabelTable, rejected: int) -> str:
    """Return what the command prints: a line per label, and everything that was not used."""
    lines = [_aligned([HEADS, *rows(card)])]
    lines += [f"left out: {name}: {reason}" for name, reason in card.left_out.items()]
    if rows_alone := matches.rows_without_recording:
        lines.append(f"rows that name no recording: {len(rows_alone):,} ({examples(rows_alone)})")
    if without := matches.recordings_without_row:
        lines.append(f"recordings without a row, not read: {len(without):,} ({examples(without)})")
    if rejected:
        lines.append(f"recordings that could not be used: {rejected:,} (see {request.rejects})")
    lines += [f"{COPIES}: {card.copies:,}"] if card.copies else []
    lines += [] if card.patients_named else [NO_PATIENTS]
    if unknown := (table.patients or []).count(""):
        lines.append(f"rows without a patient, each of which counts as a patient of its own: {unknown:,}")
    lines.append(f"{request.output}: fitted on {card.description}, C chosen inside {FOLDS} folds by patient")
    return "\n".join(map(printable, lines))


def page(name: str, card: LabelCard) -> str:
    """Return the card of a probe as Markdown; it names no recording and no path."""
    cells = [HEADS, ("---", *["---:"] * (len(HEADS) - 1)), *rows(card)]
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells)
    left_out = "".join(f"- Left out: {label}: {reason}\n" for label, reason in card.left_out.items())
    copies = f"- {COPIES.capitalize()}: {card.copies:,}\n" if card.copies else ""
    encoder = f"{card.encoder} {card.encoder_digest}, pretrained on {card.encoder_saw} recordings" if (
        card.encoder_digest) else "none"  # fmt: skip
    return f"""# The probe {name}

Linear probes, one per label, fitted by cgdmer {card.cgdmer} on {card.description}. Not a medical device.

{table}

All numbers are from {FOLDS}-fold cross-validation by patient: C was chosen and the layer fitted without the patients
that it scored. Brier score and calibration error of the calibrated probabilities are from calibrations of the other
folds. The interval is over patients. "Constant" gives every recording the prevalence.

- The probabilities are calibrated (Platt) for the prevalence in the table. For another one:
  `cgdmer score --recalibrate LABEL=PREVALENCE`.
- `cgdmer score` gives percentiles among the recordings of this table, scored out of fold. For this the folder holds 101
  quantiles of these scores per label (`layer.reference.safetensors`).
- Encoder: {encoder}
- Features: {" and ".join(card.representations)}, of {card.seconds:g} seconds from second {card.start:g}
- Patients: {"as named in the table" if card.patients_named else NO_PATIENTS}
- sha256 of the table of labels: {card.table_sha256}
{copies}{left_out}"""


def _aligned(cells: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[place]) for row in cells) for place in range(len(cells[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join(lines)
