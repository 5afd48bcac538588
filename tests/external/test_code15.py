"""CODE-15: a planted copy, its repeated and damaged exams, and the real subset."""

import numpy as np
import pytest

from cgdmer.errors import DataError
from cgdmer.external import code15
from cgdmer.external.external_set import REPEATED
from cgdmer.settings import Signal
from cgdmer.signals import LEADS
from cgdmer.waveforms.write import record_bytes

TABLE = "exam_id,age,sex,patient_id\n1,43,Male,p1\n2,84,Female,p1\n3,,,\n4,50,Male,p3\n5,50,Male,p3\n9,1,Male,p9\n"


@pytest.fixture
def planted(tmp_path):
    """Exams 1 to 5 of 7.3 s: 4 repeats 1, 5 lacks its signal file; exam 9 is in the table alone."""
    (tmp_path / "records").mkdir()
    (tmp_path / "exams_subset.csv").write_text(TABLE)
    for exam in range(1, 6):
        draw = np.random.default_rng(1 if exam == 4 else exam)
        signal = np.rint(draw.normal(0, 200, (12, 2934))).astype(np.int16)
        for name, content in record_bytes(str(exam), signal, 400, [lead.upper() for lead in LEADS]).items():
            (tmp_path / "records" / name).write_bytes(content)
    (tmp_path / "records/5.dat").unlink()
    return tmp_path


def test_age_sex_and_patients_belong_to_the_exams_that_are_used(planted):
    assert code15.holds(planted)
    read = code15.read(planted, Signal())
    assert read.patients == ["p1", "p1", "exam 3"]
    np.testing.assert_array_equal(read.measurements["age"], [43, 84, np.nan])
    np.testing.assert_array_equal(read.measurements["male"], [1, 0, np.nan])
    assert read.left_out == {REPEATED: 1, "unusable": 1}
    assert read.signals.shape == (3, 12, 1000)
    assert set(read.valid.tolist()) == {734}
    assert not read.signals[:, :, 734:].any()


def test_a_table_without_a_column_is_refused(planted):
    (planted / "exams_subset.csv").write_text("exam_id,age\n1,43\n")
    with pytest.raises(DataError, match="lacks patient_id, sex"):
        code15.read(planted, Signal())


def test_the_real_subset_is_read(real):
    read = code15.read(real / "code15", Signal())
    assert len(read.patients) == 491
    assert all(read.patients)
    assert read.left_out == {REPEATED: 1}
    assert np.isfinite(read.measurements["age"]).all()
    assert 0.3 < read.measurements["male"].mean() < 0.45
