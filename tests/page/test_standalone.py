from xml.etree import ElementTree

from cgdmer.page import el, svg
from cgdmer.page.standalone import Panel, panels

SPACE = "{http://www.w3.org/2000/svg}"


def test_panels_stand_in_rows_and_fit_the_sheet():
    drawn = [Panel(f"Task {n} <&>", svg("s", 300, 100 + n, el("rect", width=300, height=100)), "") for n in range(5)]
    root = ElementTree.fromstring(panels("All", drawn, [("a", 0), ("b", 1)]))
    width, height = float(root.get("width")), float(root.get("height"))
    boxes = [g.get("transform") for g in root.findall(f"{SPACE}g") if g.find(f"{SPACE}rect") is not None]
    positions = [tuple(map(float, box.removeprefix("translate(").rstrip(")").split())) for box in boxes]
    assert len(positions) == 5
    assert len({y for _, y in positions}) == 2
    assert all(x + 300 <= width and y + 100 <= height for x, y in positions)


def test_the_file_needs_nothing_else_and_is_the_same_again():
    text = panels("All", [], [])
    assert text == panels("All", [], [])
    assert "var(" not in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
