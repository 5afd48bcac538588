"""PTB-XL: its two tables, the SCP-ECG label rules of four tasks, and its recommended folds."""

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from cgdmer import report_text
from cgdmer.datasets import corpus_index, headers, labels, metadata, splits
from cgdmer.datasets.corpus_index import CorpusIndex
from cgdmer.errors import DataError
from cgdmer.settings import Corpus, Index

if TYPE_CHECKING:
    from cgdmer.archives import Archive

NAME = "ptb_xl"
TITLE = "PTB-XL 1.0.3"
ALIASES = ("ptb-xl", "ptbxl", "ptb-xl-a-large-publicly-available-electrocardiography-dataset-1.0.3")
COLLECTIONS: tuple[str, ...] = ()
URL = "https://physionet.org/files/ptb-xl/1.0.3/"
WANTED = r"^(ptbxl_database\.csv|scp_statements\.csv|LICENSE\.txt)$|^records500/"
LICENCE = "CC BY 4.0"

DATABASE, STATEMENTS = "ptbxl_database.csv", "scp_statements.csv"
COLUMNS = (
    *("ecg_id", "patient_id", "age", "sex", "report", "scp_codes", "strat_fold"),
    *("filename_lr", "filename_hr"),
)

TASKS: dict[str, tuple[str, ...]] = {
    "ptb_xl_super": ("HYP", "NORM", "MI", "CD", "STTC"),
    "ptb_xl_sub": (
        *("AMI", "LAFB/LPFB", "LVH", "STTC", "IMI", "SEHYP", "CRBBB", "WPW", "LAO/LAE", "NORM", "AVB", "RAO/RAE"),
        *("ISC", "LMI", "ISCI", "ISCA", "NST", "CLBBB", "ILBBB", "IRBBB", "PMI", "RVH", "IVCD"),
    ),
    "ptb_xl_form": (
        *("PAC", "DIG", "HVOLT", "STD", "LPR", "QWAVE", "VCLVH", "NDT", "TAB", "LOWT", "ABQRS", "LNGQT", "PRC(S)"),
        *("NT", "STE", "NST", "PVC", "INVT", "LVOLT"),
    ),
    "ptb_xl_rhythm": (
        *("SVARR", "BIGU", "STACH", "SARRH", "SBRAD", "TRIGU", "AFIB", "SR", "SVTAC", "PSVT", "AFLT", "PACE"),
    ),
}
"""Published names and order; for Sub that of the training table (docs/protocols.md A.3.4, A.3.5)."""

CODE = ""
"""Name of the first column of the statements, which holds the code."""
FLAGS = ("diagnostic", "form", "rhythm", "diagnostic_class", "diagnostic_subclass")
RULES = {
    "ptb_xl_super": ("diagnostic", "diagnostic_class"),
    "ptb_xl_sub": ("diagnostic", "diagnostic_subclass"),
    "ptb_xl_form": ("form", CODE),
    "ptb_xl_rhythm": ("rhythm", CODE),
}
"""Per task: the column of the statements that must be 1, and the column that names the class."""

_CLASS = re.compile(r"[A-Z0-9_/()]{1,12}")
"""What a class of the statements looks like; any other cell may be free text, which no message quotes."""
OLDER_THAN_89 = 300.0
"""Version 1.0.3 writes this for an age above 89, to protect privacy; it becomes 90."""


def find(archive: "Archive") -> "Archive":
    """Return the archive rooted at the folder of `ptbxl_database.csv`."""
    return metadata.rooted(archive, DATABASE, TITLE)


def read_index(archive: "Archive", *, corpus: Corpus, index: Index, protocol: Path | None) -> CorpusIndex:
    """Read every row with a recording at 500 Hz, or else at 100 Hz; the published split is `strat_fold`."""
    names = set(archive.names())
    rows = labelled(metadata.table(archive, DATABASE, COLUMNS), metadata.table(archive, STATEMENTS, (CODE, *FLAGS)))
    rows = rows.with_columns(member=_member(names))
    malformed = rows.filter(pl.col("codes").is_null())
    scan = headers.scan(archive, rows.filter(pl.col("codes").is_not_null()), NAME)
    usable = headers.usable(scan, NAME, "signal files at the paths of filename_hr or filename_lr")
    frame, split = splits.assign(usable, usable.select("id", split="fold"), NAME, corpus, index)
    facts = {
        "rows": rows.height,
        "files_without_row": _files_without_row(names, rows),
        "records_at_100_hz": int((frame["member"] != frame["hr"]).sum()),
        "reports_not_utf8": metadata.count_not_utf8(frame["report"]),
        "split": split,
        "published_labels": labels.agreements(frame, protocol, TASKS),
        **scan.facts,
    }
    reason = pl.lit("scp_codes is not a dict of codes")  # without the text, which may be a report
    return corpus_index.assemble(frame, [corpus_index.quarantine(malformed, reason), scan.quarantine], facts)


def labelled(database: pl.DataFrame, statements: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of the database with the labels of all four tasks; `codes` is null if it cannot be parsed.

    A record is a member of a task if one of its codes has a class there; likelihoods are ignored, even 0
    (docs/protocols.md A.3.1).
    """
    codes = pl.Series("codes", [parse_codes(text) for text in database["scp_codes"]], dtype=pl.List(pl.String))
    rows = database.with_columns(codes).with_columns(
        id=metadata.integer(pl.col("ecg_id")),
        patient=metadata.integer(pl.col("patient_id")).fill_null(pl.format("record {}", "ecg_id")),
        report=pl.col("report").fill_null("").map_elements(report_text.normalise, return_dtype=pl.String),
        age=pl.when(metadata.age(pl.col("age")) == OLDER_THAN_89).then(90.0).otherwise(metadata.age(pl.col("age"))),
        sex=metadata.integer(pl.col("sex")).replace_strict({"0": "male", "1": "female"}, default=None),
        fold=_split(metadata.integer(pl.col("strat_fold")).cast(pl.Int64, strict=False)),
        hr=pl.col("filename_hr").fill_null("") + ".hea",
        lr=pl.col("filename_lr").fill_null("") + ".hea",
    )
    for task, table in class_tables(statements).items():
        rows = rows.with_columns(names=labels.translated(pl.col("codes"), table))
        rows = rows.with_columns(labels.columns(task, TASKS[task], "names"))
    return rows


def class_tables(statements: pl.DataFrame) -> dict[str, dict[str, str]]:
    """Return SCP-ECG code to class per task; six class names lose an underscore at either end, as published."""
    tables = {}
    for task, (flag, class_column) in RULES.items():
        chosen = statements.filter(pl.col(flag).cast(pl.Float64, strict=False) == 1)
        names = chosen[class_column].str.strip_chars("_")
        tables[task] = dict(zip(chosen[CODE], names, strict=True))
        unknown = sorted({str(name) for name in names} - set(TASKS[task]))
        if unknown:
            raise DataError(
                f"{STATEMENTS}: {task} has no class {', '.join(filter(_CLASS.fullmatch, unknown[:5])) or 'like these'}",
                allowed=", ".join(TASKS[task]),
                fix=f"copy {STATEMENTS} of {TITLE} again",
            )
    return tables


def parse_codes(text: str | None) -> list[str] | None:
    """Return the codes of a dict written as text, or None if it is not one; only literals are evaluated."""
    try:
        codes = ast.literal_eval(text or "")
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return [str(code) for code in codes] if isinstance(codes, dict) else None


def _split(fold: pl.Expr) -> pl.Expr:
    """Return the split of a fold: 1-8 train, 9 validation, 10 test (docs/protocols.md A.3.2)."""
    return (
        pl.when(fold.is_between(1, 8))
        .then(pl.lit("train"))
        .when(fold == 9)
        .then(pl.lit("val"))
        .when(fold == 10)
        .then(pl.lit("test"))
    )


def _member(names: set[str]) -> pl.Expr:
    """Return the 500 Hz header, or the 100 Hz header if only that is present."""
    present = list(names)
    return pl.when(~pl.col("hr").is_in(present) & pl.col("lr").is_in(present)).then("lr").otherwise("hr")


def _files_without_row(names: set[str], rows: pl.DataFrame) -> int:
    """Count the headers that no row of the database names; they are not used, because they have no metadata."""
    return len({name for name in names if name.endswith(".hea")} - {*rows["hr"], *rows["lr"]})
