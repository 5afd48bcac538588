"""A row of a table of labels finds its recording by id, path, file name or stem; doubt is an error."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgdmer.commands.label_matching import examples, match
from cgdmer.errors import DataError
from cgdmer.recordings import RecordingPath
from cgdmer.recordings.discovery import Rejected


def found(*ids):
    return [RecordingPath(name, os.path.dirname(name), os.path.basename(name)) for name in ids]


@pytest.mark.parametrize(
    "name",
    ["in/p1/a.hea", "p1/a.hea", "a.hea", "a", "p1/a", "./in/p1/a.hea", "in/p1/../p1/a", "a.dat", "a.mat",
     os.path.abspath("in/p1/a.hea"), os.path.abspath("in/p1/a"), f"../{Path.cwd().name}/in/p1/a"],
)  # fmt: skip
def test_names_of_a_recording(name):
    matches = match([name], found("in/p1/b.hea", "in/p1/a.hea"))
    assert [one.id for one in matches.recordings] == ["in/p1/a.hea"]
    assert (matches.rows, matches.rows_without_recording, matches.recordings_without_row) == ([0], [], ["in/p1/b.hea"])


@pytest.mark.parametrize(
    "name", ["c", "a.csv", "/p1/a.hea", "1/a.hea", "p2/a", "A", "../a", "\udce9", "/", ".", "..", "\0"]
)
def test_other_names_fit_nothing(name):
    assert match([name], found("in/p1/a.hea")).rows_without_recording == [name]


def test_a_name_that_fits_two_recordings_is_refused_and_more_of_its_path_helps():
    recordings = found("in/p1/a.hea", "in/p2/a.hea")
    with pytest.raises(DataError, match=r"'a' may be any of 2 recordings: in/p1/a.hea, in/p2/a.hea"):
        match(["a"], recordings)
    assert match(["p2/a"], recordings).recordings == recordings[1:]
    assert match(["a.hea"], found("a.hea", "in/a.hea")).recordings == found("a.hea")


def test_two_rows_of_one_recording_are_refused():
    for names in (["a", "a"], ["a", "in/p1/a.hea"]):
        with pytest.raises(DataError, match=r"two rows are of the recording in/p1/a.hea"):
            match(names, found("in/p1/a.hea"))


def test_accents_match_in_either_form_and_a_rejected_path_keeps_its_row():
    assert match(["e\u0301"], found("in/\xe9.hea")).rows == [0]
    gone = Rejected("gone.hea", "missing")
    assert match(["gone"], [gone, *found("a.hea")]).recordings == [gone]
    assert match(["a"], [gone, *found("a.hea")]).unreadable == [gone]


@given(st.lists(st.from_regex(r"[ab]{1,2}(/[ab]{1,2}){0,2}", fullmatch=True), unique=True, max_size=8), st.data())
def test_each_recording_is_found_by_its_id_in_any_order(stems, data):
    recordings = found(*(f"{stem}.hea" for stem in stems))
    order = data.draw(st.permutations(range(len(stems))))
    matches = match([recordings[number].id for number in order], recordings)
    assert matches.recordings == recordings
    assert [order[row] for row in matches.rows] == list(range(len(stems)))


def test_examples_are_few_and_printable():
    assert examples(["a", "b", "c", "d", "\udce9"]) == "a, b, c and 2 more"
    assert examples(["\udce9"]) == "\\xe9"
