"""The readers that the fuzzer feeds: one function per reader, which draws a damaged input and reads it."""

import random
import re
from collections.abc import Callable
from pathlib import Path

import wfdb  # noqa: F401  # imported before memory is bounded

from cgdmer import datasets, report_text, settings
from cgdmer.archives import open_archive
from cgdmer.commands.scorer import check_prompts
from cgdmer.evaluation import zero_shot
from cgdmer.recordings.array_metadata import from_sidecar
from cgdmer.recordings.arrays import read_csv, read_npy
from cgdmer.recordings.dicom import read_dicom
from cgdmer.recordings.edf import read_edf
from cgdmer.recordings.scp import read_scp
from cgdmer.recordings.xml_formats import read_xml
from cgdmer.waveforms import parse_header, read_record
from cgdmer.waveforms.matlab import read_struct
from support import ecg_xml, scp_ecg
from support.fuzz_inputs import (
    ARRAY,
    CORPORA,
    DICOM,
    EDF,
    FOREIGN,
    PARAMS,
    PROMPTS,
    RECORDS,
    SCP,
    SEGMENTS,
    SHORT,
    SIDECAR,
    STATED,
    STRUCTS,
    TABLE,
    XLI,
    XML,
    ZIP,
    archive_of,
    mutate,
    one_of,
)

VALUES = re.compile(rb'(?<==")[^"]*|(?<=>)[^<>]+(?=<)')
"""Attributes and texts of a document."""
FOREIGN_VALUES = [b"", b"-1", b"0", b"1e-300", b"1e308", b"nan", b"x", b"9" * 400, b"0 " * 70, b"2", b"V6", b"AAAA"]


def header(draw: random.Random, _: Path) -> None:
    parse_header(mutate(draw.choice(list(RECORDS.values()))["r.hea"], draw), "r.hea")


def decoder(draw: random.Random, _: Path) -> None:
    files = one_of(draw.choice(list(RECORDS.values())), draw)
    record = read_record(archive_of(files), "r.hea", verify=draw.random() < 0.5)
    assert record.signal.ndim == 2
    assert record.signal.size


def fallback(draw: random.Random, _: Path) -> None:
    read_record(archive_of(one_of(draw.choice([FOREIGN, SEGMENTS]), draw)), "r.hea")


def matlab(draw: random.Random, _: Path) -> None:
    read_struct(mutate(draw.choice(STRUCTS), draw), "r.mat")


def zip_directory(draw: random.Random, folder: Path) -> None:
    (folder / "x.zip").write_bytes(mutate(ZIP, draw))
    with open_archive(folder / "x.zip") as archive:
        for name in archive.names():
            assert ".." not in name.split("/")
            archive.read(name)


def tree(draw: random.Random, folder: Path) -> None:
    """Read names that lead out of a real folder, also through links."""
    (folder / "corpus").mkdir(exist_ok=True)
    (folder / "secret").write_bytes(b"secret")
    name = mutate(draw.choice([b"../secret", b"link", b"a/../../secret", b"/etc/passwd"]), draw).decode("latin-1")
    if not (folder / "corpus/link").is_symlink():
        (folder / "corpus/link").symlink_to(folder / "secret")
    assert open_archive(folder / "corpus").read(name) != b"secret"


def table(draw: random.Random, _: Path) -> None:
    """Index a corpus of six records with one damaged table or header."""
    source = draw.choice(sorted(CORPORA))
    files = one_of(CORPORA[source], draw, draw.choice([".csv", ".csv", ".hea"] if source != "cpsc2018" else [".hea"]))
    module, corpus = datasets.module(source), settings.Corpus()
    module.read_index(module.find(archive_of(files)), corpus=corpus, index=settings.Index(), protocol=None)


def report(draw: random.Random, _: Path) -> None:
    text = mutate(b"Sinus rhythm; EKG *** normal. \n=-", draw).decode("utf-8", "replace")
    cleaned = report_text.clean([text, text[::-1]])
    assert not set("\n\r\t") & set(cleaned)
    assert report_text.clean_joined(text)
    assert report_text.word_count(text) >= 0
    assert "\n" not in report_text.normalise(text)


def edf(draw: random.Random, _: Path) -> None:
    read_edf(mutate(EDF, draw, head=256 * 13), "r.edf")


def dicom(draw: random.Random, _: Path) -> None:
    read_dicom(mutate(DICOM, draw, head=4000), "r.dcm")


def xml(draw: random.Random, _: Path) -> None:
    """Read a damaged document, one with a foreign value, or one whose compressed waveforms are damaged."""
    document, kind = draw.choice(XML), draw.random()
    if kind < 0.2:
        document = ecg_xml.philips(SHORT, data=mutate(XLI, draw), encoding="utf-8")
    elif kind < 0.6:
        document = mutate(document, draw, head=draw.choice([3000, len(document)]))
    else:
        begin, end = draw.choice([match.span() for match in VALUES.finditer(document)])
        document = document[:begin] + draw.choice(FOREIGN_VALUES) + document[end:]
    read_xml(document, "r.xml")


def scp(draw: random.Random, _: Path) -> None:
    """Read a damaged file, or one whose checksum is right over a damaged section."""
    sections = draw.choice(SCP)
    if draw.random() < 0.2:
        read_scp(mutate(scp_ecg.seal(sections), draw), "r.scp")
    else:
        number = draw.choice([number for number in sorted(sections) if number > 1])
        damaged = mutate(sections[number], draw, head=draw.choice([60, 1 << 20]))
        read_scp(scp_ecg.seal(sections | {number: damaged}), "r.scp")


def numbers(draw: random.Random, _: Path) -> None:
    """Read a damaged table, or a damaged array."""
    if draw.random() < 0.5:
        read_csv(mutate(TABLE, draw), "r.csv", STATED)
    else:
        read_npy(mutate(ARRAY, draw, head=200), "r.npy", STATED)


def sidecar(draw: random.Random, _: Path) -> None:
    from_sidecar(mutate(SIDECAR, draw), "r.json")


def prompts(draw: random.Random, folder: Path) -> None:
    (folder / "prompts.json").write_bytes(mutate(PROMPTS, draw))
    check_prompts(folder / "prompts.json")
    zero_shot.read_prompts(folder / "prompts.json", "prompts", ensemble=False)


def params(draw: random.Random, folder: Path) -> None:
    (folder / "params.yaml").write_bytes(mutate(PARAMS, draw))
    settings.load(folder / "params.yaml")


TARGETS: dict[str, tuple[Callable[[random.Random, Path], None], int]] = {
    "header": (header, 13), "decoder": (decoder, 15), "fallback": (fallback, 3), "matlab": (matlab, 10),
    "zip_directory": (zip_directory, 8), "tree": (tree, 4), "table": (table, 2), "report": (report, 6),
    "edf": (edf, 7), "dicom": (dicom, 6), "xml": (xml, 6), "scp": (scp, 6), "numbers": (numbers, 7),
    "sidecar": (sidecar, 4), "prompts": (prompts, 2), "params": (params, 1),
}  # fmt: skip
"""Each target with its number of cases in a hundred."""
