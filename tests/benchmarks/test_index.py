"""Growth of stage index: the exponent is that of the whole time, and a small run counts every record."""

import json

import numpy as np

from benchmarks import index


def test_the_exponent_is_one_if_a_record_costs_the_same_at_every_size():
    assert index.exponent({10: 3.0, 1000: 3.0}) == 1.0
    assert index.exponent({10: 3.0, 100: 5.0, 1000: 30.0}) == 1.5
    assert np.isnan(index.exponent({10: 3.0}))


def test_a_small_run_prints_every_size_the_baseline_and_one_line_of_json(capsys):
    index.main(["--records", "250", "40"])
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["40", "250", "wfdb.rdheader:"]
    assert set(json.loads(last)["us"]) == {"40", "250"}
