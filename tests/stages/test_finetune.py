"""Stage finetune while fine-tuning is off; tests/finetuning covers what it trains."""

from cgdmer import settings
from cgdmer.files import read_json
from cgdmer.stages import finetune as stage


def test_off_writes_that_it_is_off_and_reads_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stage.finetune("ptb_xl", finetune=settings.Finetune())
    assert read_json(tmp_path / "reports/finetune/ptb_xl/status.json") == {"enabled": False}
    assert list((tmp_path / "data/predictions/finetune/ptb_xl").iterdir()) == []
