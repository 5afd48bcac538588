"""Our nested draw, and the published index lists by their fingerprints."""

import numpy as np
import pandas
import pytest
from sklearn.model_selection import train_test_split

from cgdmer import protocol as published
from cgdmer.probing import subsets

MERL = {
    "ptb_xl_super": ("049d9bc89b78", "0c5d542aeee5"),
    "ptb_xl_sub": ("049d9bc89b78", "0c5d542aeee5"),
    "ptb_xl_form": ("7b3447f82648", "6ac0c3170fc4"),
    "ptb_xl_rhythm": ("f53e342c162c", "281358fbe490"),
    "cpsc2018": ("a26dc5f31fee", "a1fd6520903e"),
    "csn": ("22c59a285c1f", "7ad8c50c3ca2"),
}
MELP = {
    "ptb_xl_super": ("63c2b9a50369", "9b6131161bae"),
    "ptb_xl_sub": ("63c2b9a50369", "9b6131161bae"),
    "ptb_xl_form": ("c8d021684067", "8819bd79e024"),
    "ptb_xl_rhythm": ("85240944c5b1", "f96624ec818f"),
    "cpsc2018": ("1435b1d99522", "f776004451bc"),
    "csn": ("fa62e6a35d96", "624191289288"),
}
"""docs/protocols.md B.2: fingerprints at 1 % and at 10 %."""


@pytest.mark.parametrize("task", sorted(MERL))
@pytest.mark.parametrize(("draw", "prints"), [(subsets.merl, MERL), (subsets.melp, MELP)], ids=["merl", "melp"])
def test_published_subsets_have_their_fingerprints(protocol, task, draw, prints):
    keys = published.published_keys(protocol, task, "train")
    drawn = tuple(subsets.fingerprint([keys[i] for i in draw(len(keys), share)]) for share in (0.01, 0.1))
    assert drawn == prints[task]


@pytest.mark.parametrize("n", [57, 4950])
@pytest.mark.parametrize("share", [0.01, 0.1])
def test_published_draws_equal_the_libraries_they_came_from(n, share):
    if share * n >= 1:
        expected = train_test_split(np.arange(n), train_size=share, random_state=42)[0]
        np.testing.assert_array_equal(subsets.merl(n, share), expected)
    sampled = pandas.DataFrame(index=range(n)).sample(frac=share, random_state=42).index
    np.testing.assert_array_equal(subsets.melp(n, share), sampled)


def test_nested_subsets_lie_within_each_other_and_differ_by_seed():
    ids = [f"r{i}" for i in range(500)]
    one, ten, all_ = (set(subsets.nested(ids, share, 0)) for share in (0.01, 0.1, 1.0))
    assert (len(one), len(ten), len(all_)) == (5, 50, 500)
    assert one < ten < all_
    assert ten != set(subsets.nested(ids, 0.1, 1))


def test_nested_draw_does_not_depend_on_the_order_and_is_never_empty():
    ids = [f"r{i}" for i in range(40)]
    chosen = {ids[i] for i in subsets.nested(ids, 0.25, 3)}
    assert chosen == {ids[::-1][i] for i in subsets.nested(ids[::-1], 0.25, 3)}
    assert len(subsets.nested(ids, 0.01, 3)) == 1
