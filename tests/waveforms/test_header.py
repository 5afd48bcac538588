"""Headers: what is left out gets the format's default, what is wrong gets a reason."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgdmer.errors import RecordError
from cgdmer.waveforms import Header, parse_header

LINE = "r.dat 16 1000.0(0)/mV 16 0 -5 77 0 II"


def parse(*lines: str, record: str = "r 1 500 10") -> Header:
    return parse_header("\n".join([record, *lines]).encode(), "folder/r.hea")


def test_a_header_of_ptb_xl():
    header = parse("00009_hr.dat 16 1000.0(0)/mV 16 0 -115 13047 0 I", "00009_hr.dat 16 1000.0(0)/mV 16 0 -50 0 0 AVR",
                   record="00009_hr 2 500 5000")  # fmt: skip
    assert header == Header(
        name="00009_hr", fs=500.0, samples=5000, leads=("I", "AVR"), files=("00009_hr.dat",) * 2, formats=(16, 16),
        gains=(1000.0, 1000.0), baselines=(0, 0), units=("mV", "mV"), offsets=(0, 0), checksums=(13047, 0), comments=[],
    )  # fmt: skip


def test_a_header_of_the_challenges():
    header = parse("JS1.mat 16x1+24 1000/mV 16 0 -254 -21756 0 I", "#Age: 85", "# Dx: 1,2 ",
                   record="JS1 1 500 5000 23-Mar-2021 20:20:47")  # fmt: skip
    assert (header.offsets, header.checksums, header.plain) == ((24,), (-21756,), True)
    assert header.comments == ["Age: 85", "Dx: 1,2"]


@pytest.mark.parametrize(
    ("line", "gain", "baseline", "unit", "checksum", "lead"),
    [
        ("r.dat 16", 200.0, 0, "mV", None, ""),
        ("r.dat 16 400", 400.0, 0, "mV", None, ""),
        ("r.dat 16 (7)", 200.0, 7, "mV", None, ""),
        ("r.dat 16 1e3/uV 12 1024", 1000.0, 1024, "uV", None, ""),
        ("r.dat 16 200(3)/µV 12 1024 5 9", 200.0, 3, "uV", 9, ""),
        ("r.dat 16 .5/V 12 0 5 9 0 lead  V2 of three", 0.5, 0, "V", 9, "lead  V2 of three"),
        ("r.dat 16 200 11 1024 995 -22131 0 MLII", 200.0, 1024, "mV", -22131, "MLII"),
        ("r.dat 16 200/mV 12 a name from the fifth field", 200.0, 0, "mV", None, "a name from the fifth field"),
        ("\tr.dat\t16 \t200/mV 12 0 1 2 0 V1  ", 200.0, 0, "mV", 2, "V1"),
    ],
)
def test_fields_left_out_get_the_defaults(line, gain, baseline, unit, checksum, lead):
    header = parse(line)
    assert header.gains == (gain,)
    assert header.baselines == (baseline,)
    assert header.units == (unit,)
    assert header.checksums == (checksum,)
    assert header.leads == (lead,)


@pytest.mark.parametrize(
    ("record", "fs", "samples"),
    [
        ("r 1", 250.0, 0),
        ("r 1 360.5", 360.5, 0),
        ("r 1 500/1000(3) 7 12:00:00 1/1/2000", 500.0, 7),
        ("r 1 1e3 0", 1000.0, 0),
    ],
)
def test_record_lines(record, fs, samples):
    header = parse(LINE, record=record)
    assert (header.fs, header.samples) == (fs, samples)


def test_bytes_that_are_not_utf8_are_read_as_latin1():
    header = parse_header(b"r 1 500 10\n" + LINE.encode() + b"\n# M\xfcller \xb5V", "r.hea")
    assert header.comments == ["Müller µV"]
    assert parse_header(b"r 1 500 10\r\nr.dat 16 1/\xb5V\r\n", "r.hea").units == ("uV",)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_and_every_line_end_are_accepted(mark, end):
    text = end.join(["r 1 500 10", LINE, "# Age: 60", "# a\u2028b", ""])
    header = parse_header(mark + text.encode(), "r.hea")
    assert (header.name, header.leads, header.comments) == ("r", ("II",), ["Age: 60", "a\u2028b"])


def test_an_ellipsis_of_windows_does_not_end_a_line():
    header = parse_header(b"r 1 500 10\n" + LINE.encode() + b"\n# unclear\x85 repeat", "r.hea")
    assert header.comments == ["unclear\x85 repeat"]


@pytest.mark.parametrize("text", ["16x2", "16:3", "8", "61", "160", "310", "311", "516+24"])
def test_other_forms_are_known_and_not_plain(text):
    assert not parse(f"r.dat {text} 200/mV").plain


def test_a_header_of_several_segments():
    header = parse("r_1 5", "~ 2", "r_2 3", record="r/3 1 500 10")
    assert (header.segments, header.files, header.leads, header.plain) == (3, ("r_1", "~", "r_2"), (), False)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["", ""], "the header is empty"),
        (["# only a comment"], "the header is empty"),
        (["r"], "has no count of leads"),
        (["r twelve 500 10", LINE], "has no count of leads"),
        (["r 0 500 10"], "counts 0 leads and describes 0"),
        (["r 2 500 10", LINE], "counts 2 leads and describes 1"),
        (["../r 1 500 10", LINE], r"record name '\.\./r'"),
        (["r/x 1 500 10", LINE], "record name 'r/x'"),
        (["r 1 0 10", LINE], r"sampling rate '0'[\s\S]*at most 100,000 Hz"),
        (["r 1 -500 10", LINE], "sampling rate '-500'"),
        (["r 1 nan 10", LINE], "sampling rate 'nan'"),
        (["r 1 inf 10", LINE], "sampling rate 'inf'"),
        (["r 1 1e999 10", LINE], "sampling rate '1e999'"),
        (["r 1 100001 10", LINE], "sampling rate '100001'"),
        (["r 1 500 -1", LINE], "sample count '-1'"),
        (["r 1 500 9999999999999", LINE], "sample count"),
        (["r 1 500 10", "r.dat"], "signal line 'r.dat'"),
        (["r 1 500 10", "../../etc/passwd 16 200/mV"], r"signal file '\.\./\.\./etc/passwd' is not a plain file name"),
        (["r 1 500 10", "/etc/passwd 16 200/mV"], "is not a plain file name"),
        (["r 1 500 10", "a\\b.dat 16 200/mV"], "is not a plain file name"),
        (["r 1 500 10", "C:x.dat 16 200/mV"], "is not a plain file name"),
        (["r 1 500 10", ".. 16 200/mV"], "is not a plain file name"),
        (["r 1 500 10", LINE.replace("16 1000", "17 1000")], r"signal format '17'[\s\S]*16, 24, 32"),
        (["r 1 500 10", LINE.replace("16 1000", "16x 1000")], "signal format '16x'"),
        (["r 1 500 10", LINE.replace("1000.0", "0")], r"zero gain of lead 'II'[\s\S]*other than 0"),
        (["r 1 500 10", LINE.replace("1000.0", "-0.0")], "zero gain"),
        (["r 1 500 10", LINE.replace("1000.0", "1e-30")], "gain '1e-30"),
        (["r 1 500 10", LINE.replace("1000.0", "1e300")], "gain '1e300"),
        (["r 1 500 10", LINE.replace("1000.0", "10x0")], "gain '10x0"),
        (["r 1 500 10", LINE.replace("(0)", "(9999999999)")], "baseline 9999999999"),
        (["r 1 500 10", LINE.replace("mV", "mmHg")], r"unit 'mmHg' of lead 'II' is unknown[\s\S]*mV, V, uV"),
        (["r 1 500 10", LINE.replace("mV", "MV")], "unit 'MV'"),
        (["r 3 500 10", "a.dat 16", "b.dat 16", "a.dat 16"], "are separated"),
        (["r 2 500 10", "a.dat 16", "a.dat 212"], "differ in format"),
        (["r 2 500 10", "a.dat 16", "a.dat 16+2"], "byte offset"),
        (["r/2 1 500 10", "r_1 5"], "counts 2 segments and names 1"),
        (["r/1 1 500 10", "../r_1 5"], r"segment '\.\./r_1' is not a plain file name"),
        (["r/0 1 500 10"], "record name 'r/0'"),
    ],
)
def test_a_header_that_cannot_be_used_says_why(lines, message):
    with pytest.raises(RecordError, match=message) as caught:
        parse_header("\n".join(lines).encode(), "folder/r.hea")
    assert caught.value.problem.startswith("folder/r.hea: ")
    assert caught.value.allowed
    assert caught.value.fix


@given(st.binary(max_size=300) | st.text(string.printable, max_size=300).map(str.encode))
def test_any_bytes_give_a_header_or_a_reason(data):
    try:
        header = parse_header(data, "r.hea")
    except RecordError:
        return
    assert header.leads or header.segments
