"""Runs of the ablation study after a change of code that should change no score: one repeated run vouches for others.

The first seed of a method is run again. If every number of it is the same as before, the results of the other seeds,
which the same earlier code made from the same params and data, are kept and say so.
"""

from collections.abc import Mapping
from dataclasses import replace

from cgdmer.ablation_results import FORMAT, SeedResult
from cgdmer.evaluation import ablations as study
from cgdmer.files import read_json, write_json

Results = Mapping[int, SeedResult]


def stored(name: str) -> dict[int, SeedResult]:
    """Return the results of a method whose scores are here, by seed, whatever code made them."""
    found = {}
    for seed in study.seeds():
        path = study.seed_file(name, seed)
        if path.is_file() and study.scores(name, seed).is_dir() and (one := read_json(path)).get("format") == FORMAT:
            found[seed] = SeedResult.from_json(one)
    return found


def take_over(name: str, before: Results, now: study.State) -> list[int]:
    """Declare results of earlier code current if the repeated first run has the same numbers; return their seeds.

    `before` has the results as they were before the first run was repeated.
    """
    first, made = study.seeds()[0], now.made(name)
    if first not in before or not study.is_current(name, first, now):
        return []
    repeated, earlier = SeedResult.from_json(read_json(study.seed_file(name, first))), before[first]
    same_inputs = (earlier.made.params, earlier.made.data) == (made.params, made.data)
    if not same_inputs or not equal(repeated, earlier):
        return []
    kept = [
        seed
        for seed, one in before.items()
        if seed != first and one.made == earlier.made and not study.is_current(name, seed, now)
    ]
    for seed in kept:
        result = replace(before[seed], key=now.key(name, seed), made=made, vouched_by=first)
        write_json(study.seed_file(name, seed), result.to_json())
    return kept


def equal(one: SeedResult, other: SeedResult) -> bool:
    """Return True if two results have the same numbers."""
    return replace(one, key=other.key, made=other.made, vouched_by=other.vouched_by) == other
