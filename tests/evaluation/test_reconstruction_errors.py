"""Reconstruction errors of many records: the same as batch by batch, in the order of the records."""

import numpy as np
from support import example_pool as example

from cgdmer import settings
from cgdmer.evaluation import reconstruction
from cgdmer.evaluation.reconstruction_errors import reconstruction_errors
from cgdmer.models import weights
from cgdmer.shards import open_shards


def test_errors_are_those_of_each_batch_with_its_number_as_seed(tmp_path):
    example.write(tmp_path, "ptb_xl", records=12)
    shards = open_shards(tmp_path / "data/shards/ptb_xl")
    _, reports, _ = example.signals(12)
    model = weights.create(example.MODEL, settings.Masking(), settings.Objective(), example.SIGNAL, reports, 0).eval()
    records = shards.columns("valid", "missing").with_row_index("row")[[7, 2, 9, 4, 0]]
    errors = reconstruction_errors(model, shards, records, 3)
    assert {name: values.shape for name, values in errors.items()} == dict.fromkeys(errors, (5,))
    assert errors
    second = records[3:]
    expected = reconstruction.errors(
        model, shards.gather(second["row"].to_numpy().astype(np.int64)), second["valid"].to_numpy(),
        np.zeros((2, 12), bool), seed=1,
    )  # fmt: skip
    for name, values in expected.items():
        np.testing.assert_array_equal(errors[name][3:], values)
