"""Draws and curves: shapes compared with NumPy's, and no operation that processors round differently."""

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest

from cgdmer import simulator
from cgdmer.simulator.draws import Draws, approximate_exp, bump, cosine, sine, step

GRID = np.linspace(-6, 6, 2401)


def test_curves_follow_the_functions_they_stand_for():
    np.testing.assert_allclose(sine(GRID), np.sin(2 * np.pi * GRID), atol=0.0015)
    np.testing.assert_allclose(cosine(GRID), np.cos(2 * np.pi * GRID), atol=0.0015)
    np.testing.assert_allclose(bump(GRID), np.exp(-GRID * GRID / 2), atol=0.02)
    for x in (-0.6, 0.0, 0.6):
        assert approximate_exp(x) == pytest.approx(np.exp(x), rel=0.02)
    assert np.all(np.diff(step(GRID)) >= 0)
    assert step(np.array([-1.5, 0.0, 1.5])).tolist() == [0.0, 0.5, 1.0]


def test_draws_have_the_moments_they_promise():
    random = Draws(1, 2)
    for numbers in (random.normals(40_000), random.white(8, 5_000), [random.normal(0, 1) for _ in range(20_000)]):
        assert np.mean(numbers) == pytest.approx(0, abs=0.03)
        assert np.std(numbers) == pytest.approx(1, abs=0.02)
    assert np.median([random.log_normal(3.0, 0.5) for _ in range(4_000)]) == pytest.approx(3, rel=0.05)
    assert {random.integer(2, 5) for _ in range(200)} == {2, 3, 4}
    uniforms = random.uniforms(-1, 3, 4, 2_000)
    assert uniforms.shape == (4, 2_000)
    assert -1 <= uniforms.min() < -0.9 < 2.9 < uniforms.max() < 3


def test_odds_leave_room_for_nothing():
    random = Draws(5)
    drawn = [random.at_most_one(("a", "b"), (0.2, 0.3)) for _ in range(5_000)]
    for item, share in (({"a"}, 0.2), ({"b"}, 0.3), (set(), 0.5)):
        assert drawn.count(item) / len(drawn) == pytest.approx(share, abs=0.03)


def test_streams_differ_by_every_part_of_their_key():
    first = [Draws(*key).random() for key in ((1, 2, 3), (2, 1, 3), (1, 2, 4), (1, 2))]
    assert len(set(first)) == 4
    assert Draws(1, 2, 3).random() == first[0]


def test_the_simulator_calls_no_function_that_machines_round_differently():
    allowed = {
        "abs", "any", "arange", "array", "asarray", "clip", "concatenate", "cumsum", "diff", "empty", "float64",
        "floating", "floor", "full",
        "int16", "int32", "int64", "isfinite", "maximum", "nan", "ndarray", "ones", "rint", "stack",
        "uint64", "where", "zeros",
    }  # fmt: skip
    used = set()
    for file in Path(inspect.getfile(simulator)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "np":
                used.add(node.attr)
            assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult | ast.Pow)) or (
                file.name == "draws.py" and ast.unparse(node) == "2.0 ** (-53)"
            ), f"{file.name}: {ast.unparse(node)}"
    assert used - {"random"} <= allowed
