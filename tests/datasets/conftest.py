"""Tiny corpora in PhysioNet's four layouts, written by hand: headers as text, signals as zeros."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

LEADS = ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")
STATEMENTS = """,description,diagnostic,form,rhythm,diagnostic_class,diagnostic_subclass
NORM,normal,1.0,,,NORM,NORM
NST_,non-specific ST,1.0,1.0,,STTC,NST_
1AVB,first degree block,1.0,,,CD,_AVB
ABQRS,abnormal QRS,,1.0,,,
SR,sinus rhythm,,,1.0,,
"""
CONDITIONS = """AcronymName,FullName,Snomed_CT
AVB,block,233917008
1AVB,first degree block,270492004
AF,flutter,164890007
AFIB,fibrillation,164889003
LVQRSAL,low voltage,251146004
SB,bradycardia,426177001
IDC,first of two,698252002
IVB,second of two,698252002
VPE,preexcitation,195060002
"""


def record(
    folder: Path,
    member: str,
    *,
    leads: Sequence[str] = LEADS,
    fs: float = 500,
    samples: int = 20,
    comments: Sequence[str] = (),
    signal: bool = True,
    suffix: str = ".dat",
) -> None:
    """Write `<member>.hea` and, if `signal` is set, its format-16 signal file."""
    path = folder / member
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.name + suffix
    lines = [f"{path.name} {len(leads)} {fs:g} {samples}"]
    lines += [f"{file} 16 1000/mV 16 0 0 0 0 {lead}" for lead in leads]
    path.with_name(path.name + ".hea").write_text("\n".join([*lines, *(f"#{text}" for text in comments)]) + "\n")
    if signal:
        np.zeros((samples, len(leads)), dtype="<i2").tofile(path.with_name(file))


def ptb_xl(folder: Path) -> Path:
    """Six records of five patients; number 6 has no file in this copy."""
    codes = [
        "{'NORM': 0.0, 'SR': 0.0}",
        "{'NST_': 100.0}",
        "{'1AVB': 50.0, 'ABQRS': 0.0}",
        "{'XYZ': 1.0}",
        "{}",
        "{'SR': 0.0}",
    ]
    rows = ["ecg_id,patient_id,age,sex,report,scp_codes,strat_fold,filename_lr,filename_hr,site"]
    for number, text in enumerate(codes, 1):
        name = f"00000/{number:05d}"
        if number < 6:
            record(folder, f"records500/{name}_hr")
        age, fold = (300.0, 10) if number == 2 else (40.0 + number, number + 5)
        rows.append(
            f'{number},{100 + min(number, 5)}.0,{age},{number % 2},sinus  rhythm NORMAL ekg.,"{text}",{fold},'
            f"records100/{name}_lr,records500/{name}_hr,0"
        )
    (folder / "ptbxl_database.csv").write_text("\n".join(rows) + "\n")
    (folder / "scp_statements.csv").write_text(STATEMENTS)
    return folder


def cpsc2018(folder: Path) -> Path:
    for group, name, dx in (
        ("g1", "A0001", "59118001"),
        ("g1", "A0002", "426783006"),
        ("g2", "A0900", "164889003,12345"),
    ):
        record(
            folder, f"training/cpsc_2018/{group}/{name}", comments=("Age: 74", "Sex: Male", f"Dx: {dx}"), suffix=".mat"
        )
    return folder


def csn(folder: Path) -> Path:
    dx = {
        "JS00001": "164889003,270492004",
        "JS00002": "426177001",
        "JS00003": "426177001,99",
        "JS00004": "195060002,426177001",
        "JS00005": "164890007,251146004",
    }
    for name, codes in dx.items():
        record(
            folder, f"WFDBRecords/01/010/{name}", comments=("Age: NaN", "Sex: Female", f"Dx: {codes}"), suffix=".mat"
        )
    (folder / "ConditionNames_SNOMED-CT.csv").write_text("\ufeff" + CONDITIONS)
    return folder


def mimic_iv_ecg(folder: Path) -> Path:
    """Four studies of three subjects; the two tables are in different orders, and one report has three words."""
    studies = [("10", "1"), ("10", "2"), ("11", "3"), ("12", "4")]
    record_rows, report_rows = (
        ["subject_id,study_id,file_name,ecg_time,path"],
        ["subject_id,study_id,report_0,report_1,filter"],
    )
    for subject, study in studies:
        path = f"files/p10/p{subject}/s{study}/{study}"
        record(folder, path, leads=("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6"))
        record_rows.append(f"{subject},{study},{study},2100-01-01 00:00:00,{path}")
        second = "" if study == "4" else "Normal EKG"
        report_rows.insert(1, f"{subject},{study},Sinus rhythm {study},{second},60 Hz")
    (folder / "record_list.csv").write_text("\n".join(record_rows) + "\n")
    (folder / "machine_measurements.csv").write_text("\n".join(report_rows) + "\n")
    return folder


TINY: dict[str, Callable[[Path], Path]] = {
    "ptb_xl": ptb_xl,
    "cpsc2018": cpsc2018,
    "csn": csn,
    "mimic_iv_ecg": mimic_iv_ecg,
}


@pytest.fixture
def tiny(tmp_path) -> Callable[[str], Path]:
    """Return a function that writes a source's tiny corpus and returns its folder."""

    def write(source: str) -> Path:
        folder = tmp_path / f"raw_{source}"
        folder.mkdir()
        return TINY[source](folder)

    return write


@pytest.fixture
def write_record() -> Callable[..., None]:
    return record


@pytest.fixture
def zipped(tmp_path) -> Callable[[Path], Path]:
    """Return a function that packs a folder as PhysioNet does, below one top folder."""

    def pack(folder: Path) -> Path:
        path = tmp_path / f"{folder.name}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(folder.rglob("*")):
                archive.write(file, f"{folder.name}-1.0.0/{file.relative_to(folder).as_posix()}")
        return path

    return pack
