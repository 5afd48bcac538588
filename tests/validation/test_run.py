"""Running a few expectations on a small frame: entries, counts, examples, errors and silence."""

import os
import subprocess
import sys
from dataclasses import replace

import polars as pl
import pytest

from cgdmer.errors import DataError
from cgdmer.validation import suites
from cgdmer.validation.run import EXAMPLES, allowed, failing, observed, run

FRAME = pl.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "age": [30.0, 130.0, None, 140.0],
        "sex": ["male", "female", None, "m"],
        "observed": ["1", "2", "3", "4"],
        "expected": ["1", "2", "3", "5"],
    }
)
AGE = suites.between("age", "t", "age", "Ages lie between 0 and 120 years.", 0, 120)
SEX = suites.among("sex", "t", "sex", "Sex is male, female or unknown.", ["male", "female"])
EQUAL = suites.equal("equal", "t", "Both columns are equal.")
SKIPPED = suites.equal("skipped", "absent", "Never checked.", skipped="no such table")


@pytest.fixture(scope="module")
def entries():
    """Return the entries of all checks by name, in the order of the checks."""
    checks = [
        AGE,
        replace(AGE, name="age_warning", severity="warning"),
        suites.between("age_mostly", "t", "age", "A third of ages lie between 0 and 120 years.", 0, 120, limit=0.7),
        suites.between("age_wide", "t", "age", "Ages lie between 0 and 200 years.", 0, 200),
        SEX,
        EQUAL,
        SKIPPED,
    ]
    result = run({"t": FRAME}, checks)
    assert [entry["name"] for entry in result] == [check.name for check in checks]
    return {entry["name"]: entry for entry in result}


@pytest.mark.parametrize(
    ("name", "state", "success"),
    [
        ("age", "failed", False),
        ("age_warning", "warning", False),
        ("age_mostly", "flagged", True),
        ("age_wide", "passed", True),
        ("sex", "failed", False),
        ("equal", "failed", False),
        ("skipped", "not applicable", True),
    ],
)
def test_state_follows_outcome_and_severity(entries, name, state, success):
    assert (entries[name]["state"], entries[name]["success"]) == (state, success)


def test_failing_rows_are_counted_and_named_and_nulls_are_no_failures(entries):
    age = entries["age"]
    assert (age["unexpected_count"], age["examples"], age["values"]) == (2, ["b", "d"], ["130", "140"])
    assert age["unexpected_share"] == pytest.approx(2 / 3, abs=1e-6)
    assert (entries["sex"]["examples"], entries["sex"]["values"]) == (["d"], ["m"])
    assert (entries["equal"]["examples"], entries["equal"]["values"]) == (["d"], ["4, expected 5"])
    assert entries["age_wide"]["examples"] == []


@pytest.mark.parametrize(
    "check",
    [
        AGE,
        suites.between("low", "t", "age", "Ages reach 35.", 35, None),
        suites.between("nan", "t", "nan", "At most 1.", None, 1),
        SEX,
        EQUAL,
        suites.Check("unique", "t", "Unique.", "ExpectColumnValuesToBeUnique", {"column": "repeated"}),
        suites.Check("present", "t", "Present.", "ExpectColumnValuesToNotBeNull", {"column": "sex"}),
        suites.Check("rows", "t", "Rows.", "ExpectTableRowCountToBeBetween", {"min_value": 1}),
    ],
    ids=lambda check: check.name,
)
def test_the_failing_rows_are_those_that_great_expectations_counts(check):
    frame = FRAME.with_columns(nan=pl.Series([1.0, float("nan"), None, 2.0]), repeated=pl.Series(["x", "x", None, "y"]))
    assert run({"t": frame}, [check])[0]["unexpected_count"] == failing(frame, check).height


@pytest.mark.parametrize(
    ("limit", "rows", "count"), [(0.001, 800_000, 889), (0.05, 0, 0), (0.001, 60, 2), (0.08, 63, 13), (1.0, 9, 9)]
)
def test_a_share_may_exceed_its_limit_by_what_chance_explains(limit, rows, count):
    assert allowed(limit, rows) == count


def test_a_limit_allows_just_so_many_failing_rows():
    check = suites.between("x", "t", "x", "All but 1 %.", 0, 1, limit=0.01)
    most = allowed(0.01, 1000)
    for count, state in ((most, "flagged"), (most + 1, "failed")):
        entry = run({"t": pl.DataFrame({"id": ["a"] * 1000, "x": [2] * count + [1] * (1000 - count)})}, [check])[0]
        assert (entry["state"], entry["allowed_count"], entry["limit"]) == (state, most, 0.01)


def test_skipped_check_says_why_and_is_not_run(entries):
    skipped = entries["skipped"]
    assert (skipped["applicable"], skipped["note"], skipped["observed"]) == (False, "no such table", "")


def test_only_the_first_failing_rows_are_listed_unless_all_are_asked_for():
    count = EXAMPLES + 10
    frame = pl.DataFrame({"id": [str(n) for n in range(count)], "age": [500.0] * count})
    few, complete = run({"t": frame}, [AGE])[0], failing(frame, AGE)
    assert (few["unexpected_count"], len(few["examples"])) == (count, EXAMPLES)
    assert complete["id"].to_list() == frame["id"].to_list()


def test_an_expectation_that_cannot_be_evaluated_is_an_error():
    with pytest.raises(DataError, match="'age' could not be evaluated"):
        run({"t": FRAME.drop("age")}, [AGE])


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (AGE, "30 to 140"),
        (SEX, "female, m, male"),
        (EQUAL, "4 compared"),
        (replace(AGE, arguments={}), "4 rows"),
    ],
)
def test_observed_summarises_a_column(check, text):
    assert observed(FRAME, check) == text


def test_observed_of_empty_and_of_many_values():
    assert observed(FRAME.head(0), AGE) == "no value"
    assert observed(pl.DataFrame({"sex": list("abcdefgh")}), SEX) == "8 distinct"


def test_importing_is_quick_and_running_is_silent():
    program = (
        "import sys, polars as pl\n"
        "from cgdmer.validation import suites\n"
        "from cgdmer.validation.run import run\n"
        "assert 'great_expectations' not in sys.modules\n"
        "frame = pl.DataFrame({'id': ['a'], 'age': [30.0]})\n"
        "run({'t': frame}, [suites.between('age', 't', 'age', 'Sentence.', 0, 120)])\n"
        "assert 'great_expectations' in sys.modules\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
