"""A name planted in any column of any table, any field of a header, or any file reaches no log and no error message."""

import csv
import io
import logging
from pathlib import Path

import pytest
from support import ecg_xml
from support import example_recordings as example

from cgdmer import cli, datasets, settings
from cgdmer.archives import open_archive
from cgdmer.demo_corpora import cpsc2018, csn, mimic_iv_ecg, ptb_xl
from cgdmer.errors import DataError, RecordError, redacted
from cgdmer.recordings import read_file
from cgdmer.stages.index import check_share

NAME = "quimby"
PLANTED = [f"john {NAME} has chest pain", f"{{'{NAME}': 100}}", f'{NAME}, "john"']
SOURCES = {"ptb_xl": ptb_xl, "cpsc2018": cpsc2018, "csn": csn, "mimic_iv_ecg": mimic_iv_ecg}
FILES = {name: {path: b"".join(parts) for path, parts in module.files(6, 3)} for name, module in SOURCES.items()}


def index(folder: Path, source: str, files: dict[str, bytes], caplog) -> str:
    """Index a corpus, with no record allowed in quarantine; return all that was logged or raised."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    caplog.clear()
    said = ""
    with caplog.at_level(logging.DEBUG):
        try:
            module = datasets.module(source)
            found = module.find(open_archive(folder))
            read = module.read_index(found, corpus=settings.Corpus(), index=settings.Index(), protocol=None)
            check_share(read, source, 1.0)
            check_share(read, source, 0.0)
        except DataError as error:
            said = str(error)
    return said + caplog.text


def tables():
    for source, files in FILES.items():
        for path in sorted(files):
            if path.endswith(".csv"):
                columns = next(csv.reader(io.StringIO(files[path].decode())))
                yield from ((source, path, column) for column in range(len(columns)))


@pytest.mark.parametrize(("source", "path", "column"), list(tables()))
def test_no_cell_of_a_table_is_logged(tmp_path, caplog, source, path, column):
    rows = list(csv.reader(io.StringIO(FILES[source][path].decode())))
    for number, row in enumerate(rows[1:]):
        row[column] = PLANTED[number % len(PLANTED)]
    for start in (0, 1):  # with and without the header row
        text = io.StringIO()
        csv.writer(text).writerows(rows[start:])
        said = index(tmp_path / str(start), source, {**FILES[source], path: text.getvalue().encode()}, caplog)
        assert NAME not in said.lower()


HEADER_LINES = [
    f"{{name}} 12 500 {NAME}", f"{NAME}x/y 12 500 5000", f"{{name}} {NAME} 500", f"{{name}} 12 {NAME} 5000",
    f"{{name}} 12 500 5000\n{NAME}.dat 16 1000/mV 16 0 0 0 0 I", f"{{name}} 1 500 10\n{{name}}.dat {NAME} 1/mV",
    f"{{name}} 1 500 10\n{{name}}.dat 16 1/{NAME}", f"{{name}} 1 500 10\n{{name}}.dat 16 1/mV 16 0 0 0 0 {NAME}",
    f"{{name}} 1 500 10\n{{name}}.dat 16 {NAME}/mV", f"{{name}} 0 500 10\n#Name: {NAME}\n#Dx: {NAME}\n#Age: {NAME}",
]  # fmt: skip


@pytest.mark.parametrize("source", ["ptb_xl", "csn", "cpsc2018", "mimic_iv_ecg"])
def test_no_field_of_a_header_is_logged(tmp_path, caplog, source):
    for number, lines in enumerate(HEADER_LINES):
        headers = [path for path in FILES[source] if path.endswith(".hea")]
        broken = {path: lines.replace("{name}", Path(path).stem).encode() for path in headers}
        said = index(tmp_path / str(number), source, {**FILES[source], **broken}, caplog)
        assert NAME not in said.lower(), lines


def test_no_file_of_the_user_is_logged(tmp_path, caplog, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    folder = tmp_path / "in"
    example.wfdb(folder, "good")
    for number, lines in enumerate(HEADER_LINES):
        (folder / f"{NAME}{number}.hea").write_text(lines)
    (folder / f"{NAME}.json").write_text(f'{{"fs": 500, "{NAME}": 1}}')
    (folder / f"{NAME}.npy").write_bytes(b"\x93NUMPY" + NAME.encode())
    (folder / f"{NAME}.edf").write_bytes(NAME.encode() * 100)
    (folder / f"{NAME}.dcm").write_bytes(b"\0" * 128 + b"DICM" + NAME.encode() * 100)
    for number, (old, new) in enumerate(
        ((b"LEAD_V6", b"LEAD_%s"), (b'unit="uV"', b'unit="%s"'), (b"<digits>", b"<%s>"))
    ):
        (folder / f"{NAME}{number}.xml").write_bytes(ecg_xml.aecg().replace(old, new % NAME.encode()))
    (folder / f"{NAME}.scp").write_bytes(NAME.encode() * 100)
    with caplog.at_level(logging.DEBUG):
        assert cli.main(["embed", "in", "--model", str(example.model())]) == 6
    assert NAME not in caplog.text
    assert NAME in Path("embeddings.rejects.csv").read_text()


def test_what_a_log_may_say_keeps_the_words_and_drops_the_names():
    assert redacted("signal file missing: x.dat") == "signal file missing"
    assert redacted("gain 'x' of lead 'y'") == "gain"
    assert (
        redacted("amplitude of 31.5 mV, at most 20 mV is possible") == "amplitude of ... mV, at most ... mV is possible"
    )
    assert redacted("a/john smith.hea is missing", "a/john smith.hea") == "... is missing"
    assert len(redacted("word " * 1000)) <= 120


def test_the_readers_refuse_with_names_which_the_logs_leave_out(tmp_path):
    (tmp_path / "r.hea").write_text(HEADER_LINES[3].format(name="r"))
    with pytest.raises(RecordError, match=NAME):
        read_file(tmp_path / "r.hea")
