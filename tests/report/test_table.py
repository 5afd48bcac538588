"""One table, three renderers."""

from cgdmer.report import table
from cgdmer.report.table import Badge, Changed, Code, Table, stacked
from cgdmer.results import Interval

VALUE, GAP = Interval(0.8125, 0.75, 0.9), Interval(-0.0123, -0.04, 0.1)
TABLE = Table(
    "A <caption>.",
    ["Row", stacked("Task", "n 24")],
    [["a|b", VALUE], ["c", Changed(VALUE, GAP)], [stacked("d", "below"), None], ["e", Code("ab12")]],
)


def test_html_puts_the_details_of_a_cell_below_it_and_escapes():
    page = table.html(TABLE)
    assert "A &lt;caption&gt;." in page
    assert 'Task<small class="below">n 24</small>' in page
    assert '0.812<small class="below">0.750 to 0.900</small>' in page
    assert '<small class="below">-0.012</small><small class="below">-0.040 to +0.100</small>' in page
    assert "<code>ab12</code>" in page
    assert "–" in page


def test_markdown_writes_a_cell_in_one_line():
    caption, _, *lines = table.markdown(TABLE).splitlines()
    assert caption == "A <caption>."
    assert lines == [
        "| Row | Task, n 24 |",
        "| --- | --- |",
        "| a\\|b | 0.812 (0.750 to 0.900) |",
        "| c | 0.812, -0.012 (-0.040 to +0.100) |",
        "| d, below | – |",
        "| e | `ab12` |",
    ]


def test_text_aligns_columns_and_stacks_heads():
    lines = table.text(TABLE).splitlines()
    assert lines[:3] == ["A <caption>.", "Row       Task", "          n 24"]
    assert lines[3] == "a|b       0.812 [0.75, 0.90]"
    assert lines[5] == "d, below  -"


def test_a_badge_links_to_the_details_in_html_alone():
    verdicts = Table("", ["Corpus", "Validation"], [["CSN", Badge("warnings", "warn", "clipping", "validation/csn")]])
    page = table.html(verdicts)
    assert '<span class="badge warn">warnings</span>' in page
    assert 'href="validation/csn"' in page
    assert table.grid(verdicts).splitlines()[2] == "| CSN | warnings |"
