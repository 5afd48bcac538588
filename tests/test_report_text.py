"""Report cleaning, compared with the published rule written out step by step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgdmer import report_text

ALPHABET = st.text(alphabet=st.sampled_from(list(" *=-.\n\r\tEKGekgaBcÄß\x1c\u00a0")), max_size=30)
LINES = st.lists(st.one_of(st.none(), ALPHABET, st.text(max_size=10)), max_size=18)


def step_by_step(lines):
    """Clean lines by every step of docs/protocols.md A.1.1 and return the word count and the text."""
    text = ". ".join(line for line in lines if line)
    for old, new in (("EKG", "ECG"), ("ekg", "ecg")):
        text = text.replace(old, new)
    for ends in (" *", "* ", "*", "=-", "="):
        text = text.strip(ends)
    text = text.lower()
    words = len(text.split())
    for white in "\n\r\t":
        text = text.replace(white, " ")
    return words, text + "." if words else "empty"


@given(LINES)
def test_cleaning_equals_the_published_steps(lines):
    words, text = step_by_step(lines)
    assert report_text.clean(lines) == text
    assert report_text.word_count(". ".join(line for line in lines if line)) == words


@given(LINES)
def test_a_clean_report_is_lower_case_on_one_line_and_ends_with_a_period(lines):
    text = report_text.clean(lines)
    assert text == text.lower()
    assert not set(text) & set("\n\r\t")
    assert text.endswith(".") or text == report_text.EMPTY


@given(st.one_of(ALPHABET, st.text(max_size=40)))
def test_normalising_twice_changes_nothing(text):
    once = report_text.normalise(text)
    assert report_text.normalise(once) == once
    assert "  " not in once


@pytest.mark.parametrize(
    ("lines", "text", "words"),
    [
        (["Sinus rhythm", None, "Normal EKG"], "sinus rhythm. normal ecg.", 4),
        (["*** Age not entered ***", "Sinus rhythm", "Abnormal ECG ---"],
         "age not entered ***. sinus rhythm. abnormal ecg .", 8),
        (["=== Report ==="], " report .", 1),
        (["", None], "empty", 0),
        ([" *** "], "empty", 0),
        (["Ekg"], "ekg.", 1),
    ],
)  # fmt: skip
def test_examples(lines, text, words):
    assert report_text.clean(lines) == text
    assert report_text.word_count(". ".join(line for line in lines if line)) == words


def test_a_free_text_report_keeps_its_language_and_gets_one_period():
    assert report_text.normalise("  SINUSRHYTHMUS   lagetyp\nnormales EKG. ") == "sinusrhythmus lagetyp normales ekg."
    assert report_text.normalise("mÖglich") == "möglich."
    assert report_text.normalise(" . ") == ""
