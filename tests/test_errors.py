"""Errors keep their three fields, also across processes."""

import pickle

from cgdmer.errors import DataError, RecordError, did_you_mean


def test_message_holds_problem_allowed_and_fix():
    error = DataError("x is y", allowed="z", fix="do w")
    assert str(error) == "x is y\n  allowed: z\n  to fix: do w"


def test_errors_survive_the_way_home_from_a_worker():
    error = pickle.loads(pickle.dumps(RecordError("flat", allowed="a", fix="b")))
    assert type(error) is RecordError
    assert (error.problem, error.allowed, error.fix) == ("flat", "a", "b")


def test_did_you_mean_names_only_a_near_word():
    assert did_you_mean("shardsize", ["shard_size", "fs"]) == "; did you mean 'shard_size'?"
    assert did_you_mean("zzz", ["shard_size"]) == ""
