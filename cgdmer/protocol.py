"""Published split tables and zero-shot prompts: their addresses, their checksums and their readers."""

import hashlib
import io
from pathlib import Path

import polars as pl

from cgdmer.errors import DataError, did_you_mean
from cgdmer.tables import SPLITS

REPOSITORY = "cheliu-computation/MERL-ICML2024"
COMMIT = "38799b7deb1c9958f41badcfacc6a95192787cc4"
URL = f"https://raw.githubusercontent.com/{REPOSITORY}/{COMMIT}"
LICENCE = "MIT"

PROMPTS = "CKEPE_prompt.json"

UPSTREAM = {"merl_splits/": "finetune/data_split/", PROMPTS: f"zeroshot/{PROMPTS}"}
"""Path in the public repository, by the start of the local path."""

TABLES: dict[str, str] = {
    "ptb_xl_super": "merl_splits/ptbxl/super_class/ptbxl_super_class",
    "ptb_xl_sub": "merl_splits/ptbxl/sub_class/ptbxl_sub_class",
    "ptb_xl_form": "merl_splits/ptbxl/form/ptbxl_form",
    "ptb_xl_rhythm": "merl_splits/ptbxl/rhythm/ptbxl_rhythm",
    "cpsc2018": "merl_splits/icbeb/icbeb",
    "csn": "merl_splits/chapman/chapman",
}
"""Start of the path of the split tables, by task; `_train.csv`, `_val.csv` or `_test.csv` follows."""

_SHA256: dict[str, tuple[str, str, str]] = {
    "ptb_xl_super": (
        "81c0b53f7500107cfcf3433ad7cfcbc4622d300171f9cfc8ddeeccd5e6ee53a5",
        "d852fcc62edcdd4785f64cddeb24ef1c84435350bc34ccbef9b3fedfc3bd63b1",
        "1646fae11e3fad3f7a98a34f4af5ab0c86e64ad06eba6861cad26831a5f0f617",
    ),
    "ptb_xl_sub": (
        "6df73dd4a5f638525c8a346614dbf5a8992d8862efeacc8d2b11efc6addcce9a",
        "b79acabc92088e400273392adb87e16be3c74695572a174efe7359f97eca1c8c",
        "2394d07f10150a9853fa985d30959a348c2553207367860042d48d3108a4c013",
    ),
    "ptb_xl_form": (
        "4b2b1d0c3398b897f15a4902f993137ecb24563a223251b6319fb64ac4fd2da7",
        "50c614246753bda0e123528e4d79fad861e870ae17105c136c6a0776996ff6c5",
        "533fc6f96c4dde42cd7e1722a0180ee405a8b22ca75225f5700fd7012049b17c",
    ),
    "ptb_xl_rhythm": (
        "ed76e6459be242953504d2a702a383bd0593b53bc2fffa941aadb11c6d192d32",
        "a6386ab392844d7cccd358f2fac8aeb0dcff0240be0a3b0e1188807d2e3ad390",
        "da18b3ecf6c8260a9986437d3a38dd522eb1aab8f5e4439d7bbaf28d172240b0",
    ),
    "cpsc2018": (
        "013fa62513598e7a141d5ea810f73b6b75cdddbab25e11bcbbcdf84a18f000de",
        "17fc4f6f95aa818e147ff3b6d5c314c9ae4301989469a0488aaa19638d3e44c8",
        "ef85abba57aedba8bf857cf843457b5732f68adfd27b0f45af408870d4210a7f",
    ),
    "csn": (
        "8cb268dd4a1e87ea527c4ad57f23baafc4ba72c08edf0ffe2d13cbf6aa299572",
        "2f611e3447008d36eaa10a33675127d57c90a156894577167a7932057a7ef8a8",
        "a51df50676226bd7697845fc15036356a56af9379c3efaa917f1dbff274d1236",
    ),
}
"""Checksums of the training, validation and test table of a task."""

PUBLISHED: dict[str, str] = {
    f"{TABLES[name]}_{split}.csv": digest
    for name, digests in _SHA256.items()
    for split, digest in zip(SPLITS, digests, strict=True)
} | {PROMPTS: "468b9b23220bbc6190618db6e0138ae34d95097456214a1b12cd0d1ad30e233c"}
"""sha256 of the unmodified 18 split tables and prompts, by local path (docs/protocols.md F.2)."""

NOT_CLASSES = frozenset(
    {
        *("ecg_id", "patient_id", "strat_fold", "filename_lr", "filename_hr"),
        *("super_class", "sub_class", "form", "rhythm"),
        *("filename", "validation", "age", "sex", "scp_codes", "ecg_path", "diagnose"),
    }
)
"""Columns that are not classes. Every other column of a split table is a class, regardless of its position."""


def upstream(path: str) -> str:
    """Return the path of a published file in the public repository."""
    prefix = next(prefix for prefix in UPSTREAM if path.startswith(prefix))
    return UPSTREAM[prefix] + path.removeprefix(prefix)


def available(folder: Path) -> bool:
    """Return True if every published file exists; `verify` checks their content."""
    return all((folder / path).is_file() for path in PUBLISHED)


def verify(folder: Path) -> None:
    """Raise DataError if a published file is missing or differs from the pinned one."""
    for path in PUBLISHED:
        _read(folder, path)


def prompts_path(folder: Path) -> Path:
    """Return the path of the CKEPE prompts. Raises DataError if the file is missing or differs from the pinned one."""
    _read(folder, PROMPTS)
    return folder / PROMPTS


def split_table(folder: Path, name: str) -> pl.DataFrame:
    """Return the published split of a task: `id`, `split` and one UInt8 column per class, in CSV order.

    `id` is the record id of this project: `ecg_id` of PTB-XL, `filename` of CPSC2018 (its `ecg_id` counts the files of
    a folder, docs/protocols.md A.4), the JS number of CSN. Classes are joined by name, because the three tables of
    PTB-XL Sub order them differently (docs/protocols.md A.3.4); the result has the order of the training table.
    """
    splits = [_table(folder, name, split) for split in SPLITS]
    classes = class_names(splits[0])
    return pl.concat(
        table.select(
            _record_id(name).alias("id"), pl.lit(split).alias("split"), *(pl.col(c).cast(pl.UInt8) for c in classes)
        )
        for table, split in zip(splits, SPLITS, strict=True)
    )


def published_keys(folder: Path, name: str, split: str) -> list[str]:
    """Return the published key of each row: `ecg_path` of CSN, otherwise `ecg_id` (hashed in docs/protocols.md B.2)."""
    table = _table(folder, name, split)
    return table["ecg_path" if "ecg_path" in table.columns else "ecg_id"].to_list()


def class_names(table: pl.DataFrame) -> list[str]:
    """Return the class columns of a split table, in the order of the table."""
    return [column for column in table.columns if column not in {*NOT_CLASSES, "id", "split"}]


def _table(folder: Path, name: str, split: str) -> pl.DataFrame:
    """Read one CSV with every column as text. Raises DataError for an unknown task or a changed file."""
    if name not in TABLES:
        raise DataError(
            f"no published split is called '{name}'{did_you_mean(name, list(TABLES))}", allowed=", ".join(TABLES)
        )
    content = _read(folder, f"{TABLES[name]}_{split}.csv")
    return pl.read_csv(io.BytesIO(content), infer_schema=False)


def _record_id(name: str) -> pl.Expr:
    """Return the expression of the record id in a split table."""
    if name == "csn":
        return pl.col("ecg_path").str.extract(r"(JS\d+)\.mat$")
    return pl.col("filename" if name == "cpsc2018" else "ecg_id")


def _read(folder: Path, path: str) -> bytes:
    """Read a published file. Raises DataError if it is missing or its sha256 differs."""
    fix = "set protocol.way to local (and CGDMER_PROTOCOL_ROOT) or download in params.yaml, then: dvc repro protocol"
    file = folder / path
    if not file.is_file():
        raise DataError(f"{file} is missing", allowed=f"{REPOSITORY} at commit {COMMIT[:7]}", fix=fix)
    content = file.read_bytes()
    if hashlib.sha256(content).hexdigest() != PUBLISHED[path]:
        raise DataError(
            f"{file} is not the published file: its sha256 differs",
            allowed=f"{REPOSITORY} at commit {COMMIT[:7]}, sha256 {PUBLISHED[path]}",
            fix=f"rm {file}; {fix}",
        )
    return content
