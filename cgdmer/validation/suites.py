"""The expectations: what each column must satisfy, how strictly, and how severe a failure is. Data only.

A critical expectation judges a share wherever a single recording or table row of a real corpus may be wrong. It has no
limit, and one row fails it, only where the pipeline itself writes the column or later stages rely on every row: the
columns and form of the tables, unique ids (they join tables), patients in one split (or the test set leaks), splits,
sexes and labels (readers write nothing else), the length of shard rows, and published counts, which are only compared
when the whole published corpus is here.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl

from cgdmer.settings import Signal, Validation
from cgdmer.tables import SPLITS, UNASSIGNED

Severity = Literal["critical", "warning"]

STRAY_AGES = 0.01
"""Largest share of known ages out of range. Readers turn every documented code for "unknown" into null, so more than
a stray value out of range means that the column is wrong."""


@dataclass(frozen=True)
class Check:
    """One expectation on one table."""

    name: str
    table: str
    """Name of the frame it checks."""
    sentence: str
    """What must hold, as a sentence for the page."""
    kind: str
    """Class in `great_expectations.expectations`."""
    arguments: dict[str, Any] = field(default_factory=dict)
    severity: Severity = "critical"
    limit: float = 0.0
    """Largest share of the values that are not null that may fail."""
    skipped: str = ""
    """Why it does not apply; empty if it does."""

    @property
    def column(self) -> str:
        """The column it checks; the first of two columns that are compared."""
        return str(self.arguments.get("column", self.arguments.get("column_A", "")))


def equal(name: str, table: str, sentence: str, skipped: str = "") -> Check:
    """Expect `observed` to equal `expected` in every row of a comparison table."""
    arguments = {"column_A": "observed", "column_B": "expected"}
    return Check(name, table, sentence, "ExpectColumnPairValuesToBeEqual", arguments, skipped=skipped)


def between(
    name: str, table: str, column: str, sentence: str, low: float | None, high: float | None, *,
    limit: float = 0.0, severity: Severity = "critical",
) -> Check:  # fmt: skip
    """Expect all but a share `limit` of the non-null values to lie in a closed range; None leaves an end open."""
    arguments = {"column": column, "min_value": low, "max_value": high}
    return Check(name, table, sentence, "ExpectColumnValuesToBeBetween", arguments, severity, limit)


def among(name: str, table: str, column: str, sentence: str, values: list[Any]) -> Check:
    """Expect every value that is not null to be one of a few."""
    arguments = {"column": column, "value_set": values}
    return Check(name, table, sentence, "ExpectColumnValuesToBeInSet", arguments)


def index(frame: pl.DataFrame, settings: Validation) -> list[Check]:
    """Return the expectations on the index frame, with one check of labels per task that it has."""
    impossible = settings.max_impossible_share
    checks = [
        Check("records_present", "index", "At least one record is indexed.", "ExpectTableRowCountToBeBetween",
              {"min_value": 1}),
        Check("ids_present", "index", "Every record has an id.", "ExpectColumnValuesToNotBeNull", {"column": "id"}),
        Check("ids_unique", "index", "Every id occurs once.", "ExpectColumnValuesToBeUnique", {"column": "id"}),
        between("patients_one_split", "index", "patient_splits", "No patient is in two splits.", None, 1),
        among("splits_known", "index", "split", "A split is train, val, test or none.", [*SPLITS, UNASSIGNED]),
        between("fs_plausible", "index", "fs",
                f"All but {impossible:.2%} of sampling rates lie between 50 and 10,000 Hz.", 50, 10_000,
                limit=impossible),
        between("samples_present", "index", "samples", f"All but {impossible:.2%} of records have samples.", 1, None,
                limit=impossible),
        between("ages_in_range", "index", "age",
                f"All but {STRAY_AGES:.0%} of known ages lie between 0 and {settings.max_age:g} years.", 0,
                settings.max_age, limit=STRAY_AGES),
        among("sexes_known", "index", "sex", "Sex is male, female or unknown.", ["male", "female"]),
        between("leads_twelve", "index", "lead_count", "Records hold twelve leads.", 12, 12, severity="warning"),
        between("reports_short", "index", "report_words",
                f"Reports have at most {settings.max_report_words} words.", 1, settings.max_report_words,
                severity="warning"),
        between("reports_varied", "index", "report_copies",
                f"At most {settings.max_duplicate_reports:.0%} of reports repeat another record's.", 1, 1,
                limit=settings.max_duplicate_reports, severity="warning"),
    ]  # fmt: skip
    label_columns = [column for column in frame.columns if column.endswith("_labels")]
    return checks + [
        among(f"labels_{column.removesuffix('_labels')}", "index", column,
              "Labels are 0 or 1 in every class of the task, or null in all.", [True])
        for column in label_columns
    ]  # fmt: skip


def shards(settings: Validation, signal: Signal) -> list[Check]:
    """Return the expectations on the rows of the shards, and on all records with the quarantined ones."""
    usual, possible = settings.usual_amplitude_mv, signal.max_amplitude_mv
    return [
        between("records_usable", "records", "quarantined",
                f"At most {signal.max_quarantined:.0%} of records are quarantined.", 0, 0,
                limit=signal.max_quarantined),
        between("amplitude_possible", "records", "amplitude_uv",
                f"At most {settings.max_impossible_share:.2%} of records, quarantined ones included, reach beyond "
                f"{possible:g} mV.", 0, possible * 1000, limit=settings.max_impossible_share),
        between("leads_alive", "records", "flat_leads",
                f"At most {settings.max_flat_share:.0%} of records, quarantined ones included, have a flat lead.", 0, 0,
                limit=settings.max_flat_share),
        Check("shard_ids_unique", "shards", "Every id occurs once in the shards.", "ExpectColumnValuesToBeUnique",
              {"column": "id"}),
        among("shard_ids_indexed", "shards", "indexed", "Every row of the shards is a record of the index.", [True]),
        between("valid_length", "shards", "valid", "Rows hold at least one sample and no more than fit.", 1,
                signal.samples),
        between("amplitude_usual", "shards", "amplitude_uv", f"No record reaches {usual:g} mV.", 0, usual * 1000,
                severity="warning"),
        between("lead_identities", "shards", "identity_uv",
                f"In {settings.min_identity_share:.0%} of records II = I + III and the augmented leads agree within "
                f"{settings.max_identity_uv:g} µV (root mean square).", 0, settings.max_identity_uv,
                limit=round(1 - settings.min_identity_share, 9)),
        between("leads_present", "shards", "missing_leads", "No lead is absent.", 0, 0, severity="warning"),
        between("clipping_rare", "shards", "clipped",
                f"At most {settings.max_clipped:.0%} of a record's samples sit at its extreme value.", 0,
                settings.max_clipped, severity="warning"),
        between("gaps_bridged", "shards", "bridged", "No missing sample had to be bridged.", 0, 0,
                severity="warning"),
        between("signals_distinct", "shards", "signal_copies",
                f"At most {settings.max_duplicate_signals:.0%} of records have a signal that occurs twice.", 1, 1,
                limit=settings.max_duplicate_signals),
        between("copies_one_split", "shards", "copy_splits", "No signal occurs in two splits.", None, 1,
                severity="warning"),
    ]  # fmt: skip
