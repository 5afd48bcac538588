"""The pages as text: names are never markup, every page carries the notice, addresses are relative."""

import csv
import io
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import viewed

from cgdmer.delineation.measurements import NAMES
from cgdmer.signals import LEADS
from cgdmer.viewer import columns, index_page, pages, recording_page, words

CATALOGUE = viewed.catalogue()


class Reader(HTMLParser):
    """Collects what a browser would see: texts outside scripts, and tags with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.words, self.tags = [], []
        self.feed(text)

    def handle_data(self, data):
        self.words.append(data)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))


def index():
    around = index_page.Surroundings(lambda number: f"recordings/{number}.html", pages.policy([pages.TABLE]))
    return index_page.render(CATALOGUE, around)


def recording(number, picture="data:,"):
    place = recording_page.Place("../index.html", lambda row: f"{row}.html", number, pages.policy([pages.PAPER]))
    return recording_page.render(CATALOGUE, CATALOGUE.entries[number], picture, "no lead <b>", place)


ALL = [index(), *(recording(number) for number in range(len(CATALOGUE.entries))), recording(0, None)]


@pytest.mark.parametrize("text", ALL, ids=range(len(ALL)))
def test_names_and_reasons_are_text_and_every_page_says_that_it_is_no_medical_device(text):
    read = Reader(text)
    shown = "".join(read.words)
    assert pages.NOTICE in shown
    assert "The encoder saw SIMULATED recordings only." in shown
    assert [tag for tag, _ in read.tags].count("script") == 1
    assert not [(tag, name) for tag, attributes in read.tags for name in attributes if name.startswith("on")]
    assert not [tag for tag, _ in read.tags if tag in ("b", "iframe", "object", "form")]
    assert [attributes["src"] for tag, attributes in read.tags if tag == "img"] in ([], ["data:,"])
    assert not set(shown) & set("\u202e\x00")


def test_addresses_are_relative_and_no_page_names_a_folder_or_host():
    for text in ALL:
        links = [attributes["href"] for tag, attributes in Reader(text).tags if "href" in attributes]
        assert links
        assert not [link for link in links if link.startswith(("/", "http", "//", "file"))]
        assert "http" not in re.sub(r"http-equiv", "", text)


def test_the_policy_allows_the_pages_own_script_and_style_by_digest_alone():
    policy = dict(part.split(" ", 1) for part in pages.policy([pages.PAPER]).split("; "))
    assert policy["default-src"] == policy["connect-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert re.fullmatch(r"'sha256-[^ ]+'", policy["script-src"])
    assert re.fullmatch(r"'sha256-[^ ]+'", policy["style-src"])
    assert policy["img-src"] == "data:"


def test_all_measurements_have_a_name():
    by_lead = {f"{kind}_{lead}_mv" for kind in words.BY_LEAD for lead in LEADS}
    assert set(words.MEASURES) | by_lead == set(NAMES)
    assert set(words.LISTED) <= set(words.MEASURES)


def test_numbers_have_a_unit_no_sign_at_zero_and_a_dash_without_evidence():
    assert words.value("qrs_ms", {"qrs_ms": 94.6}) == "95 ms"
    assert words.value("qrs_axis", {"qrs_axis": -0.2}) == "0°"
    assert words.value("cornell_mv", {"cornell_mv": None}) == "–"
    assert words.by_lead("st", {"st_I_mv": -0.001})[:2] == ["0.00", "–"]


def test_the_likeliest_class_of_several_probes_is_named_once_and_no_cosine_is():
    entry = CATALOGUE.entries[0]
    found = CATALOGUE.likeliest(entry, 5)
    assert [each.title.name for each in found] == sorted(
        ["normal ecg", "myocardial infarction"],
        key=lambda name: -max(entry.scores[c] for c, t in viewed.TITLES.items() if t.name == name),
    )


def test_percentiles_stand_beside_the_probabilities_that_have_them():
    assert "\u00a0(&lt;1)" in index()
    assert ">Likeliest classes (percentile)</th>" in index()
    page = recording(2, None)
    assert page.count(">Percentile</th>") == 2, "the likeliest classes, and the probe; no column for cosines"
    assert re.search(r'myocardial infarction</th><td class="number">0\.\d\d</td><td class="number">20</td>', page)
    assert re.search(r'normal ecg</th><td class="number">0\.\d\d</td><td class="number">–</td>', page)


def test_similar_recordings_leave_out_the_recording_itself():
    for number, entry in enumerate(CATALOGUE.entries):
        rows = [row for row, _ in CATALOGUE.similar(entry, number)]
        assert number not in rows
        assert len(rows) == 5
        assert CATALOGUE.similar(entry)[0][0] == number
    assert viewed.catalogue(["one"]).similar(CATALOGUE.entries[0], 0) == []


def test_the_table_holds_every_number_and_no_formula():
    rows = list(csv.DictReader(io.StringIO(columns.table(CATALOGUE))))
    assert [row["recording"].lstrip("'") for row in rows] == list(viewed.HOSTILE)
    assert not [row["recording"] for row in rows if row["recording"].startswith(columns._FORMULA)]
    assert float(rows[0]["qrs_ms"]) == pytest.approx(CATALOGUE.entries[0].measurements["qrs_ms"], rel=1e-5)
    assert rows[1]["qrs_ms"] == ""
    assert rows[2]["missing"] == "V5 V6"
    assert list(rows[0])[-4:] == [*viewed.TITLES, "percentile/ptb_xl_super/MI"]
    assert [row["percentile/ptb_xl_super/MI"] for row in rows[:2]] == ["0.5", "10.5"]


def test_what_cannot_be_drawn_or_measured_says_so():
    assert "cannot be drawn: no lead &lt;b&gt;" in recording(0, None)
    assert "No beats were found" in recording(1)


@given(st.text(st.characters()))
def test_visible_names_hold_no_control_character_and_no_change_of_direction(name):
    shown = pages.visible(name)
    assert shown.isascii() or not set(shown) & pages._HIDDEN
    assert not [sign for sign in shown if ord(sign) < 32 or 0x7F <= ord(sign) < 0xA0]
    shown.encode()
