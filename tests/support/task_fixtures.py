"""Fixtures of the small synthetic task."""

import numpy as np
import polars as pl
import pytest

from support.example_task import make_features, make_index


@pytest.fixture
def index() -> pl.DataFrame:
    return make_index()


@pytest.fixture
def features(index) -> np.ndarray:
    return make_features(index)
