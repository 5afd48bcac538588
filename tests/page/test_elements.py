from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from cgdmer.page import document, el, figure, number, section, svg, table, tiles


class Reader(HTMLParser):
    """Collects the text and the tags that a browser would see."""

    def __init__(self):
        super().__init__()
        self.words, self.tags = [], []

    def handle_data(self, data):
        self.words.append(data)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))


def read(markup):
    reader = Reader()
    reader.feed(markup)
    return reader


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_any_text_comes_through_as_text_and_never_as_markup(text):
    reader = read(el("p", text, title=text))
    assert "".join(reader.words) == text
    assert reader.tags == [("p", {"title": text})]


def test_attributes_are_written_as_html_writes_them():
    assert (
        el("rect", class_="bar", stroke_width=2, hidden=True, x=None) == '<rect class="bar" stroke-width="2" hidden/>'
    )


def test_sequences_are_joined_and_nothing_is_left_out():
    assert el("p", ["a", None, [1, el("b", "<")]]) == "<p>a1<b>&lt;</b></p>"


def test_numbers_have_separators_and_none_a_dash():
    assert (number(12345), number(0.5, 2), number(None)) == ("12,345", "0.50", "–")


def test_a_table_names_its_columns_and_rows_for_a_screen_reader():
    reader = read(table("Scores", ["Task", "AUROC"], [("PTB-XL", 0.9)]))
    cells = [(tag, attributes.get("scope")) for tag, attributes in reader.tags if tag in ("th", "td")]
    assert cells == [("th", "col"), ("th", "col"), ("th", "row"), ("td", None)]
    region = reader.tags[0][1]
    assert region["role"] == "region"
    assert region["aria-label"] == "Scores"


def test_a_drawing_says_what_it_shows_and_knows_its_size():
    drawing = svg("Bars of <5", 10, 4, el("rect", x=1))
    assert 'aria-label="Bars of &lt;5"' in drawing
    assert (drawing.width, drawing.height, drawing.inside) == (10, 4, '<rect x="1"/>')


def test_a_document_is_whole_and_refuses_the_network():
    page = document("T & t", section("a", "A", figure("x", "y"), tiles([("n", 1)])), description="d")
    reader = read(page)
    assert page.startswith("<!DOCTYPE html>")
    assert ("title", {}) in reader.tags
    policy = [a["content"] for tag, a in reader.tags if a.get("http-equiv")]
    assert "default-src 'none'" in policy[0]
