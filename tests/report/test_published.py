from cgdmer import tables
from cgdmer.report import published


def test_every_row_says_where_it_was_read_and_how_it_was_made():
    rows = published.rows()
    for name in ("method", "task", "kind", "protocol", "source", "status"):
        assert (rows[name] != "").all(), name
    assert set(rows["status"]) == {published.READ, "second-hand"}
    assert set(rows["task"]) <= set(tables.TASKS)
    assert rows["auroc"].is_between(0.4, 1.0).all()
    assert set(rows["fraction"]) == {"", "0.01", "0.1", "1.0"}


def test_no_row_is_there_twice():
    rows = published.rows()
    assert not rows.select("method", "task", "fraction", "kind", "source").is_duplicated().any()


def test_second_hand_numbers_are_folded_away_and_named_so():
    page = published.published_section()
    shown, folded = page.split("<details>")
    assert "HeartLang" in shown
    assert "MERL" not in shown
    assert "MERL" in folded
    assert "second-hand numbers, not checked" in folded
