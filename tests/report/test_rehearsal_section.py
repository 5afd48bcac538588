"""The section on the rehearsal: what was measured, what follows, and nothing without a rehearsal."""

import re

import pytest

from cgdmer.page.elements import style
from cgdmer.report import rehearsal as subject
from cgdmer.report.rehearsal import Call, Fault, Growth, Kill, Rehearsal, Run


def run_of(records: int) -> Run:
    calls = [
        Call("index mimic_iv_ecg", records, records / 500, records / 1000, 150.0, 140.0, 1.0, 2.0),
        Call("pretrain", records, 90.0, 60.0, 900.0, 800.0, 1.0, 2.0),
    ]
    return Run(
        records, {"mimic_iv_ecg": records, "csn": 300}, "2026-01-01", "abc123", "a machine", {"python": "3.11"}, [],
        raw_gb=0.12, write_s=5.0, repro_s=600.0, again_s=9.5, calls=calls, kills=[Kill("pretrain", 4.0)],
        faults=[Fault("NaN", "10_1", "1.00 s of signal are missing"), Fault("25 mV", "10_2", "")],
    )  # fmt: skip


@pytest.fixture
def measured() -> Rehearsal:
    growth = Growth("index mimic_iv_ecg", 1000, 10_000, 1.0, 1.01, 0.02, 1.0, 800_035, 0.444, 0.222, 160.0)
    return Rehearsal([run_of(1000), run_of(10_000)], [growth])


def test_the_section_shows_sizes_exponents_and_reasons(measured):
    page = subject.rehearsal_section(measured)
    for shown in ("10,000", "800,035", "1.01", "0.22", "a machine", "abc123", "1.00 s of signal are missing"):
        assert shown in page
    assert page.count("<svg") >= 2
    assert "index mimic_iv_ecg" in page


def test_a_fault_that_is_not_in_quarantine_is_counted_as_such(measured):
    assert subject.faults_of(measured.runs[0]) == "1 of 2"
    rows = {row[0]: row[1:] for row in subject.fault_table(measured).rows}
    assert rows == {"NaN": ["2 of 2", "1.00 s of signal are missing"], "25 mV": ["0 of 2", "none"]}


def test_no_record_id_reaches_the_page(measured):
    assert "10_1" not in subject.rehearsal_section(measured)


def test_a_cost_that_grows_with_the_records_is_a_level_line(measured):
    page = subject.rehearsal_section(measured)
    line = re.search(r'<path d="M([^"]*)" class="line series0"', page)
    heights = {point.split(",")[1] for point in line[1].split()}
    assert len(heights) == 1, "1 ms per record at both sizes"


@pytest.mark.parametrize("nothing", [None, Rehearsal()])
def test_without_a_rehearsal_there_is_no_section(nothing):
    assert subject.rehearsal_section(nothing) is None


def test_the_page_has_a_style_for_each_line():
    assert all(f".series{number}{{" in style() for number in range(len(subject.DRAWN)))
