"""Intervals over pretrainings: their coverage in simulations, one pretraining as the ordinary bootstrap, pairing."""

import math

import numpy as np
import polars as pl
import pytest

from cgdmer.errors import DataError
from cgdmer.probing import bootstrap, comparison, seeds


def predictions(scores, labels, subsets=1):
    """Return the prediction table of one class from scores (n,), the same in every subset."""
    columns = {"id": [f"r{i:03d}" for i in range(len(labels))], "score/a": scores, "label/a": labels.astype(np.uint8)}
    return pl.concat([pl.DataFrame({"seed": seed} | columns) for seed in range(subsets)])


def planted(rng, labels, common, effect, *, between, own, pretrainings):
    """Return prediction tables: a signal that varies with the pretraining, noise that all share, noise of its own."""
    effects = rng.normal(effect, between, pretrainings)
    return [predictions(strength * labels + common + rng.normal(0, own, len(labels)), labels) for strength in effects]


def expected(effect, between, own):
    """Return the mean AUROC over pretrainings and records: a normal signal between two normal distributions."""
    return 0.5 * math.erfc(-effect / math.sqrt(2 * (1 + own**2) + between**2) / math.sqrt(2))


def coverage(*, pretrainings, between, own, runs, n=100):
    """Return how often the interval over pretrainings, and that of records alone, contain the true value."""
    rng, truth = np.random.default_rng(5), expected(1.2, between, own)
    hits = np.zeros(2)
    for _ in range(runs):
        labels, common = np.arange(n) % 3 == 0, rng.normal(size=n)
        tables = planted(rng, labels, common, 1.2, between=between, own=own, pretrainings=pretrainings)
        method = seeds.trainings(tables, 150)
        whole = seeds.estimate(method)
        alone = bootstrap.interval(float(method.points.mean()), method.drawn.mean(axis=0))
        hits += [whole.low <= truth <= whole.high, alone.low <= truth <= alone.high]
    return hits / runs


def test_the_interval_covers_what_pretrainings_and_records_vary_and_records_alone_do_not():
    whole, alone = coverage(pretrainings=3, between=0.4, own=0.3, runs=300)
    assert 0.9 <= whole <= 0.985  # 0.915 over 1,000 runs; that of records alone 0.788
    assert alone < 0.85


def test_without_variation_between_pretrainings_the_interval_is_not_too_wide():
    whole, alone = coverage(pretrainings=3, between=0.0, own=0.1, runs=200)
    assert 0.91 <= whole <= 0.985
    assert alone == pytest.approx(whole, abs=0.03)


@pytest.mark.parametrize("counts", [(3, 3), (3, 1), (2, 5)])
def test_a_difference_of_two_equal_methods_is_rarely_found(counts):
    """A model of points and replicates, so that thousands of comparisons cost nothing."""
    rng, found = np.random.default_rng(1), 0
    for _ in range(600):
        found += difference_of_equals(rng, counts).p < 0.05
    assert 0.02 <= found / 600 <= 0.075


def difference_of_equals(rng, counts, *, between=0.01, own=0.008, effect=None):
    """Return the difference of two methods that differ by chance, and by `effect` if it is given.

    Records move both methods alike, each method, and each pretraining; a method with one row has no random weights.
    """
    alike, alike_drawn = rng.normal(0, 0.02), rng.normal(0, 0.02, 400)
    methods = []
    for number, count in enumerate(counts):
        method, method_drawn = rng.normal(0, 0.006), rng.normal(0, 0.006, 400)
        single = count > 1
        chance = rng.normal(0, between, count) * single + rng.normal(0, own, count) * single
        points = 0.85 + alike + method + chance + (effect or 0.0) * (number == 0)
        drawn = points[:, None] + alike_drawn + method_drawn + rng.normal(0, own, (count, 400)) * single
        methods.append(seeds.Trainings(points, drawn, 200))
    return seeds.difference(*methods)


def paired_by_draw(rng, *, effect=0.0, draws=3, luck=0.05, own=0.005):
    """Return two methods of which each draw of training records moves both alike, by `luck`."""
    alike, alike_drawn = rng.normal(0, luck, draws), rng.normal(0, 0.02, 400)
    methods = []
    for gain in (effect, 0.0):
        points = 0.8 + gain + alike + rng.normal(0, own, draws)
        method_drawn = alike_drawn + rng.normal(0, 0.004, 400)
        points = points + rng.normal(0, 0.004)
        methods.append(seeds.Trainings(points, points[:, None] + method_drawn + rng.normal(0, own, (draws, 400)), 200))
    return methods


def test_the_luck_of_a_draw_that_both_methods_share_is_no_part_of_a_paired_difference():
    rng, found, narrower = np.random.default_rng(3), 0, []
    for _ in range(600):
        methods = paired_by_draw(rng)
        paired, alone = seeds.paired_difference(*methods), seeds.difference(*methods)
        assert paired.mean == pytest.approx(alone.mean)
        found += paired.p < 0.05
        narrower.append((paired.high - paired.low) / (alone.high - alone.low))
    assert 0.02 <= found / 600 <= 0.085
    assert np.median(narrower) < 0.4
    shown = [seeds.paired_difference(*paired_by_draw(rng, effect=0.05)).low > 0 for _ in range(200)]
    assert np.mean(shown) > 0.9


def test_a_paired_difference_needs_the_same_draws():
    three, two = (paired_by_draw(np.random.default_rng(0), draws=draws)[0] for draws in (3, 2))
    with pytest.raises(DataError, match="3 and 2 draws"):
        seeds.paired_difference(three, two)


def test_the_smallest_difference_that_can_be_shown_is_found_four_times_in_five():
    rng = np.random.default_rng(2)
    detectable = float(np.median([difference_of_equals(rng, (1, 1)).detectable for _ in range(50)]))
    found = sum(difference_of_equals(rng, (1, 1), effect=detectable).p < 0.05 for _ in range(500))
    assert 0.74 <= found / 500 <= 0.86


def one_method(effect=1.0, n=120, pretrainings=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3 == 0
    return planted(rng, labels, rng.normal(size=n), effect, between=0.2, own=0.3, pretrainings=pretrainings)


def test_one_pretraining_is_the_ordinary_bootstrap():
    [table], [other] = one_method(pretrainings=1), one_method(0.5, pretrainings=1)
    single, second = seeds.trainings([table], 200), seeds.trainings([other], 200)
    assert seeds.difference(single, second) == comparison.compare(table, other, 200)
    points, drawn = comparison.macros(table, 200)
    ordinary = bootstrap.interval(float(points.mean()), bootstrap.over_seeds(drawn))
    whole = seeds.estimate(single)
    assert (whole.mean, whole.low, whole.high) == (ordinary.mean, ordinary.low, ordinary.high)


def test_the_order_of_rows_and_of_pretrainings_does_not_move_the_mean():
    tables = one_method()
    forth = seeds.trainings(tables, 50)
    back = seeds.trainings([table.reverse() for table in reversed(tables)], 50)
    assert back.points.tolist() == forth.points[::-1].tolist()
    assert seeds.estimate(back).se == pytest.approx(seeds.estimate(forth).se)


def test_a_method_does_not_differ_from_itself_and_swapping_turns_the_sign():
    first, second = seeds.trainings(one_method(), 100), seeds.trainings(one_method(0.6, seed=0), 100)
    forth, back = seeds.difference(first, second), seeds.difference(second, first)
    assert forth.mean == pytest.approx(-back.mean)
    assert (forth.se, forth.df) == pytest.approx((back.se, back.df))
    assert seeds.difference(first, first).mean == 0.0


def test_the_mean_of_tasks_averages_each_pretraining():
    first, second = seeds.trainings(one_method(), 50), seeds.trainings(one_method(2.0, n=60), 50)
    both = seeds.mean([first, second])
    assert both.points == pytest.approx((first.points + second.points) / 2)
    assert (both.count, both.records) == (3, 60)


def test_pretrainings_on_other_records_are_refused():
    with pytest.raises(DataError, match="same records"):
        seeds.trainings([*one_method(), *one_method(n=90)], 10)
    with pytest.raises(DataError, match="same records"):
        seeds.difference(seeds.trainings(one_method(), 10), seeds.trainings(one_method(n=90), 10))


def test_methods_with_as_many_other_records_or_other_seeds_are_refused():
    tables = one_method()
    first = seeds.trainings(tables, 10)
    renamed = [table.with_columns(pl.concat_str(pl.lit("x"), "id").alias("id")) for table in tables]
    reseeded = [table.with_columns(pl.col("seed") + 1) for table in tables]
    for others in (renamed, reseeded):
        second = seeds.trainings(others, 10)
        for pair in ((first, second), (seeds.mean([first, first]), seeds.mean([first, second]))):
            with pytest.raises(DataError, match="same records"):
                seeds.difference(*pair)
    other_type = seeds.trainings([table.with_columns(pl.col("seed").cast(pl.Int8)).reverse() for table in tables], 10)
    assert seeds.difference(first, other_type).mean == pytest.approx(0)
    forth, back = seeds.mean([first, second]), seeds.mean([second, first])
    assert seeds.difference(forth, back).mean == pytest.approx(0)


def test_trainings_whose_records_are_not_known_are_compared_by_their_number():
    first = seeds.trainings(one_method(), 10)
    by_hand = seeds.Trainings(first.points, first.drawn, first.records)
    assert seeds.difference(first, by_hand).mean == seeds.difference(by_hand, first).mean == 0
    assert seeds.mean([first, by_hand]).keys == ""


def test_replicates_without_a_value_are_no_losses():
    points, drawn = np.array([0.8]), np.array([[0.9, np.nan, 0.8, np.nan]])
    worse = seeds.Trainings(points - 0.1, drawn - 0.1, 5)
    assert seeds.difference(seeds.Trainings(points, drawn, 5), worse).share_above == 1.0


def test_the_mean_over_pretrainings_ends_at_one():
    points = np.array([0.99, 0.95, 0.97])
    method = seeds.Trainings(points, points[:, None] + np.random.default_rng(0).normal(0, 0.01, (3, 500)), 9)
    whole = seeds.estimate(method)
    assert (whole.low > 0.8, whole.high) == (True, 1.0)
    assert seeds.estimate(seeds.Trainings(1 - points, 1 - method.drawn, 9)).low == 0.0


def test_the_share_above_zero_is_that_of_the_interval():
    rng, points = np.random.default_rng(0), np.array([0.80, 0.74, 0.83])
    method = seeds.Trainings(points, points[:, None] + rng.normal(0, 0.002, (3, 4000)), 9)
    constant = seeds.Trainings(np.array([0.73]), np.full((1, 4000), 0.73), 9)
    gap = seeds.difference(method, constant)
    assert gap.low < 0 < gap.mean
    assert gap.share_above < 0.975
