from itertools import pairwise

import pytest
from support.browser import look

pytestmark = pytest.mark.xdist_group("report")

BAD = """<!DOCTYPE html><html><body><h1>t</h1><figure><svg></svg></figure><div style="width:900px">wide</div>
<script>console.error("broken")</script></body></html>"""


def test_the_look_finds_what_is_wrong(tmp_path):
    layout = look(BAD, 360, tmp_path)
    assert layout["scroll"] > layout["client"]
    assert (layout["silent"], layout["bare"]) == (1, 1)
    assert any("broken" in line for line in layout["console"])


@pytest.mark.parametrize("width", [360, 1200])
def test_the_page_is_whole_on_a_phone_and_on_a_desk(run, tmp_path, width):
    layout = look((run / "reports/report.html").read_text(), width, tmp_path)
    assert layout["client"] == width
    assert layout["scroll"] <= width, layout["over"][:5]
    assert layout["over"] == []
    assert (layout["silent"], layout["bare"], layout["targets"]) == (0, 0, 0)
    assert layout["figures"] > 20
    assert layout["console"] == []


def test_headings_never_skip_a_level(run, tmp_path):
    levels = look((run / "reports/report.html").read_text(), 1200, tmp_path)["headings"]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
