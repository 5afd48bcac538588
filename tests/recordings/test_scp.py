"""SCP-ECG: every encoding gives the written numbers; damage and what is not supported are named."""

import struct

import numpy as np
import pytest
from support import scp_ecg as written
from support.ecg_xml import PATIENT, STORED, microvolt

from cgdmer.errors import RecordError
from cgdmer.recordings import read_file
from cgdmer.recordings.scp import read_scp
from cgdmer.recordings.scp_rhythm import _huffman
from cgdmer.signals import LEADS

SIGNAL = microvolt()
BEATS = (205, 900, 1400)
FORMS = [(order, packed, beats) for order in (0, 1, 2) for packed in (False, True) for beats in ((), BEATS)]


@pytest.mark.parametrize(("order", "packed", "beats"), FORMS)
def test_every_encoding_gives_the_written_microvolts(order, packed, beats, tmp_path):
    (tmp_path / "r.scp").write_bytes(written.scp(differences=order, compressed=packed, beats=beats))
    record = read_file(tmp_path / "r.scp")
    assert (record.fs, record.leads) == (500.0, LEADS)
    rows = [LEADS.index(lead) for lead in STORED]
    np.testing.assert_allclose(record.signal[rows] * 1000, SIGNAL[rows], atol=1e-3)
    np.testing.assert_allclose(record.signal[2] * 1000, SIGNAL[1] - SIGNAL[0], atol=1e-3)


def test_twelve_stored_leads_unit_and_rate(tmp_path):
    sections = {6: written.encoded(SIGNAL, differences=2, compressed=False, step=2500, interval=1000)}
    (tmp_path / "r.ecg").write_bytes(written.scp(leads=LEADS, changes=sections))
    record = read_file(tmp_path / "r.ecg")
    assert (record.fs, record.leads) == (1000.0, LEADS)
    np.testing.assert_allclose(record.signal * 1000, SIGNAL * 2.5, atol=1e-3)


def test_codes_of_annex_c_written_by_hand():
    bits = "0" "100" "101" "1100" "1111111101" "1111111110" "10000000" "1111111111" "0000000011111111"  # fmt: skip
    assert _huffman(written.packed(bits), 7).tolist() == [0, 1, -1, 2, -8, -128, 255]


def test_samples_overflow_as_in_an_encoder_of_16_bits():
    signal = np.tile([30_000, -30_000], 1250)[None].repeat(8, 0)
    wrapped = np.diff(signal, axis=1).astype(np.int16)  # 60,000 does not fit into 16 bits
    content = struct.pack("<HHBB8H", 10, 2000, 1, 0, *[5000] * 8)
    content += b"".join(row.astype("<i2").tobytes() for row in np.concatenate([signal[:, :1], wrapped], axis=1))
    record = read_scp(written.scp(changes={6: content}), "r.scp")
    np.testing.assert_allclose(record.signal[0] * 1e5, signal[0], atol=1e-2)


def rhythm(step=1000, interval=2000, differences=0, bimodal=0):
    whole = written.encoded(microvolt(STORED), differences=0, compressed=False)
    return {6: struct.pack("<HHBB", step, interval, differences, bimodal) + whole[6:]}


def leads(*entries, count=None, flags=4):
    content = b"".join(struct.pack("<IIB", *entry) for entry in entries)
    return {3: bytes([len(entries) if count is None else count, flags]) + content}


def zones(*entries, length=200, fiducial=40):
    return {
        4: struct.pack("<HHH", length, fiducial, len(entries)) + b"".join(struct.pack("<HIII", *e) for e in entries)
    }


EIGHT = [(1, 2500, number) for number in range(1, 9)]
WRONG = {
    "has no section 6": ({6: b""}, "no section 6, which holds the rhythm"),
    "has no section 3": ({3: b""}, "no section 3, which holds the leads"),
    "bimodal": (rhythm(bimodal=1), "bimodal compression is not supported"),
    "unit": (rhythm(step=0), "rhythm of 0 nV a unit"),
    "interval": (rhythm(interval=0), "0 us a sample"),
    "order": (rhythm(differences=3), "differences of order 3"),
    "tables": ({2: struct.pack("<H", 1)}, "1 Huffman tables of its own"),
    "codes": ({2: struct.pack("<H", 19999)}, "bits beyond"),
    "short section": ({6: b"\1\2"}, "the section of the rhythm ends after 2 bytes"),
    "lengths": ({6: rhythm()[6][:-1]}, "rhythm of 40,000 bytes in a section of"),
    "lead number": (leads(*EIGHT[:-1], (1, 2500, 200)), "unknown lead number 200"),
    "lead twice": (leads(*EIGHT[:-1], (1, 2500, 1)), "lead I occurs more than once"),
    "spans": (leads(*EIGHT[:-1], (1, 2400, 8)), "2 spans of samples"),
    "from zero": (leads(*[(0, 2499, number) for number in range(1, 9)]), "from sample 0"),
    "backwards": (leads(*[(9, 2, number) for number in range(1, 9)]), "from sample 9 to 2"),
    "claims samples": (leads(*[(1, 1 << 31, number) for number in range(1, 9)]), "from sample 1 to 2,147,483,648"),
    "more samples": (leads(*[(1, 2501, number) for number in range(1, 9)]), "2,501 samples are stated"),
    "no leads": (leads(), "0 leads"),
    "claims leads": (leads(*EIGHT, count=90), "the section of the leads ends"),
    "only others": (leads((1, 2500, 9)), "no standard lead"),
}
BEATS_WRONG = {
    "no beats": ({4: b""}, "no section 4, which holds the beats"),
    "no reference": ({5: b""}, "no section 5, which holds the reference beat"),
    "too long": (zones((0, 1, 40, 100), length=60_000), "1 beats of 30,000 samples"),
    "too many": (zones(*[(0, 1, 40, 100)] * 200), "200 beats of 100 samples"),
    "none": (zones((0, 1, 40, 100), length=0), "1 beats of 0 samples"),
    "claims zones": ({4: struct.pack("<HHH", 200, 40, 900)}, "the section of the beats ends"),
    "rate": ({5: written.encoded(microvolt(STORED)[:, :100], differences=0, compressed=False, interval=1000)},
             "a reference beat every 1000 us"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_with_the_file(name):
    changes, reason = WRONG[name]
    with pytest.raises(RecordError, match=r"r\.scp: ") as error:
        read_scp(written.scp(changes=changes), "r.scp")
    assert reason in error.value.problem


@pytest.mark.parametrize("name", BEATS_WRONG)
def test_wrong_reference_beats_are_named(name):
    changes, reason = BEATS_WRONG[name]
    with pytest.raises(RecordError, match=reason):
        read_scp(written.scp(beats=BEATS, changes=changes), "r.scp")


def test_damage_and_wrong_pointers_are_named():
    whole = written.scp()
    damaged = bytearray(whole)
    damaged[5000] ^= 1
    wrong = {
        b"": "no SCP-ECG file",
        b"ISHNE1.0" + bytes(range(1, 99)): "no SCP-ECG file",
        bytes(damaged): "the checksum does not match",
        whole[:-1]: "are stated and",
    }
    for content, reason in wrong.items():
        with pytest.raises(RecordError, match=reason):
            read_scp(content, "r.scp")
    sections = {3: leads(*EIGHT)[3], 6: rhythm()[6]}
    for pointer, reason in {
        (1 << 31, 50): "section 6 is stated to hold 2,147,483,648 bytes",
        (40, 1): "headed as section",
        (40, 0): "from byte -1",
        (8, 60): "section 6 is stated to hold 8 bytes",
    }.items():
        with pytest.raises(RecordError, match=reason):
            read_scp(written.seal(sections, {6: pointer}), "r.scp")


def test_no_name_of_a_patient_is_read():
    data = written.scp()
    assert PATIENT.encode() in data
    assert PATIENT not in repr(read_scp(data, "r.scp"))
