"""Which records are drawn from a split."""

from support.shard_folder import write_folder

from cgdmer.evaluation.held_out import draw
from cgdmer.shards import open_shards


def test_only_records_of_the_split_with_a_report_are_drawn(tmp_path):
    write_folder(tmp_path / "ptb_xl", [40, 40])
    shards = open_shards(tmp_path / "ptb_xl")
    everything = draw(shards, "test", 10**6)
    rows = shards.rows
    assert (rows["split"].gather(everything["row"]) == "test").all()
    assert (everything["report"] != "").all()
    assert everything.height == rows.filter((rows["split"] == "test") & (rows["report"] != "")).height
    assert set(draw(shards, "test", 9)["id"]) < set(everything["id"])
    assert draw(shards, "nowhere", 9).is_empty()
