import re

import numpy as np

from cgdmer.page.paper import GAIN, SPEED, Strip, sheet, standard

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def follow(markup):
    """Return the points of the last path in millimetres."""
    path, x, y, across, down = re.findall(
        r'<path d="M0 ([^"]*)" transform="translate\(([\d.]+) ([\d.]+)\) scale\(([\d.e-]+) ([\d.e-]+)\)"', markup
    )[-1]
    start, steps = path.split("l")
    pairs = np.array(re.findall(r"-?\d+", steps), dtype=int).reshape(-1, 2)
    heights = int(start) + np.concatenate([[0], np.cumsum(pairs[:, 1])])
    positions = np.concatenate([[0], np.cumsum(pairs[:, 0])])
    return float(x) + positions * float(across), float(y) + heights * float(down)


def test_a_second_is_25_mm_and_a_millivolt_10_mm_up():
    wave = np.array([0, 1000, -500, 0] * 100, dtype=np.int16)
    x, y = follow(sheet("s", "a", [Strip(wave, 100.0, 7.0, 40.0)], width=200, height=60))
    assert np.allclose(x, 7 + np.arange(400) / 100 * SPEED)
    assert np.allclose(y, 40 - wave / 1000 * GAIN)


def test_rounding_does_not_add_up():
    wave = np.full(1000, 4, dtype=np.int16)
    wave[500:] = 1234
    _, y = follow(sheet("s", "a", [Strip(wave, 100.0, 0.0, 40.0)], width=200, height=60))
    assert np.abs(y - (40 - wave / 100)).max() <= 0.05


def test_the_usual_sheet_names_every_lead_and_lead_ii_twice():
    drawing = standard("s", "a", np.zeros((12, 1000), dtype=np.int16), 100.0, LEADS)
    names = re.findall(r"<text [^>]*>(\w+)</text>", drawing)
    assert sorted(names) == sorted([*LEADS, "II"])
    assert drawing.count('class="trace"') == 12 + 1 + 4


def test_grids_of_one_page_do_not_collide():
    one, two = (sheet("s", anchor, [], width=10, height=10) for anchor in ("a", "b"))
    assert not set(re.findall(r'id="([^"]+)"', one)) & set(re.findall(r'id="([^"]+)"', two))
