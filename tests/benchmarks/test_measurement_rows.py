"""Intervals and axes of simulated records, compared with rows of machine measurements."""

import numpy as np
import pytest
from scipy.stats import ks_2samp, spearmanr

from benchmarks import measurement_rows as measured
from benchmarks.measurement_rows import NAMES
from cgdmer.errors import DataError
from cgdmer.simulator import draw_cases, simulate

HEAD = "subject_id,rr_interval,p_onset,p_end,qrs_onset,qrs_end,t_end,p_axis,qrs_axis,t_axis\n"


@pytest.fixture(scope="module")
def cases():
    return draw_cases(5, 0, 40, "clinical")


@pytest.fixture(scope="module")
def values(cases):
    signals = simulate(cases, 5, 0, 10.0, 500.0)
    return measured.of_signals(signals, np.full(len(signals), signals.shape[2]))


def test_rows_become_intervals_and_missing_or_impossible_values_are_not_known(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text(HEAD + "1,800,40,150,200,292,600,50,-140,32767\n1,659,29999,29999,40,-3,29999,999,181,-180\n")
    rows = measured.read(file)
    np.testing.assert_array_equal(rows[0], [800, 160, 92, 400, 50, 220, np.nan])
    np.testing.assert_array_equal(rows[1], [659, *[np.nan] * 5, 180])


@pytest.mark.parametrize("content", ["a,b\n1,2\n", HEAD + "1,x,40,150,200,292,600,50,-140,3\n", ""])
def test_a_file_that_is_no_table_of_measurements_is_refused(tmp_path, content):
    file = tmp_path / "rows.csv"
    file.write_text(content)
    with pytest.raises(DataError, match="qrs_onset") as refused:
        measured.read(file)
    assert "--rows" in refused.value.fix
    with pytest.raises(DataError, match="cannot be read"):
        measured.read(tmp_path / "none.csv")


def test_what_is_measured_in_a_signal_follows_what_was_drawn(cases, values):
    drawn = measured.of_cases(cases)
    assert np.isnan(drawn[:, [NAMES.index("P axis"), NAMES.index("T axis")]]).all()
    assert 0 < np.isnan(drawn[:, NAMES.index("PR")]).sum() < len(cases) / 2
    for name, tolerance in (("RR", 15), ("PR", 20), ("QRS", 25), ("QT", 40), ("QRS axis", 20)):
        column = NAMES.index(name)
        assert np.nanmedian(np.abs(values[:, column] - drawn[:, column])) < tolerance, name


def test_distances_and_correlations_are_those_of_scipy_over_known_values(values):
    rows = np.random.default_rng(0).normal([800, 160, 92, 400, 50, 20, 40], 20, (300, 7))
    rows[::3, 1] = np.nan
    result = measured.compared(values, rows)
    for k, name in enumerate(NAMES):
        own, other = values[np.isfinite(values[:, k]), k], rows[np.isfinite(rows[:, k]), k]
        assert result["distance"][name] == pytest.approx(ks_2samp(own, other).statistic, abs=6e-4)
        assert result["values"][name]["known"] == len(own)
    both = values[np.isfinite(values[:, [0, 3]]).all(1)]
    assert result["correlations"]["RR, QT"] == pytest.approx(spearmanr(both[:, 0], both[:, 3]).statistic, abs=6e-4)
    assert len(result["correlations"]) == 21
    assert measured.compared(rows, rows)["distance"] == dict.fromkeys(NAMES, 0.0)
    assert measured.compared(rows, rows)["unlike"] == 0


def test_chance_exceeds_its_distance_once_in_twenty_times():
    generator, limit = np.random.default_rng(1), measured.by_chance(200, 300)
    drawn = [measured.distance(generator.random(200), generator.random(300)) for _ in range(600)]
    assert np.mean(np.array(drawn) > limit) == pytest.approx(0.05, abs=0.025)


def test_the_table_has_a_cell_for_each_value_and_none_where_nothing_is_known(cases):
    rows = np.random.default_rng(0).normal([800, 160, 92, 400, 50, 20, 40], 20, (300, 7))
    drawn = measured.compared(measured.of_cases(cases), rows)
    lines = measured.table({"drawn": drawn}, rows).splitlines()
    cells = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]] for line in lines}
    assert len(lines) == 2 + 7 + 7 + 21 + 1
    assert cells["distance: P axis"] == ["0", ""]
    assert float(cells["distance: QRS"][1]) == pytest.approx(drawn["distance"]["QRS"], abs=0.006)
    assert cells["correlation: RR, T axis"][1] == ""
