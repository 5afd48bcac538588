"""Exchanges of electrodes: how a report states them, and what it no longer says."""

import pytest

from cgdmer.report_text import EMPTY, clean
from cgdmer.training.exchanges import ARMS, EXCHANGES, is_about_axis, reported

IN_ARMS, ON_CHEST = EXCHANGES[0], EXCHANGES[-1]


def test_arms_are_exchanged_most_often_and_the_shares_are_a_distribution():
    assert IN_ARMS.electrodes == ("RA", "LA")
    assert IN_ARMS.share == max(exchange.share for exchange in EXCHANGES)
    assert sum(exchange.share for exchange in EXCHANGES) == pytest.approx(1)
    assert len({exchange.electrodes for exchange in EXCHANGES}) == len(EXCHANGES)


def test_every_wording_is_a_clean_statement_that_can_be_drawn():
    for exchange in EXCHANGES:
        drawn = {exchange.wording(k / 100) for k in range(100)}
        assert len(drawn) == len(exchange.wordings)
        assert all(clean([wording]) == f"{wording}." for wording in drawn)
    assert ON_CHEST.wording(0.9) == "lead v6 omitted due to possible sequence error"


def test_a_report_begins_with_the_exchange_and_keeps_what_it_says_of_the_heart():
    report = clean(["Sinus rhythm", "Left axis deviation", "Inferior infarct, age undetermined", "Abnormal ECG"])
    kept = "sinus rhythm. inferior infarct, age undetermined. abnormal ecg."
    assert reported(report, IN_ARMS, ARMS[2]) == f"arm lead reversal. {kept}"
    assert "left axis deviation" in reported(report, ON_CHEST, "electrode reversal")


def test_a_report_without_words_has_the_exchange_alone():
    assert reported(EMPTY, IN_ARMS, ARMS[2]) == "arm lead reversal."


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("left axis deviation.", True),
        ("leftward axis.", True),
        ("borderline right axis deviation.", True),
        ("left axis deviation - anterior fascicular block.", False),
        ("left atrial enlargement.", False),
        ("possible left ventricular hypertrophy.", False),
    ],
)
def test_only_a_statement_that_names_no_finding_is_about_the_axis(statement, expected):
    assert is_about_axis(statement) is expected
