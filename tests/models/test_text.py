"""Report encoders: from scratch, and named models that the test itself saves."""

import shutil
from functools import partial

import huggingface_hub
import pytest
import tokenizers
import torch
import transformers

from cgdmer.errors import ConfigError
from cgdmer.models import masking, text, text_files, tokens
from cgdmer.settings import Masking, Model

LOOK_UP = huggingface_hub.try_to_load_from_cache
LINES = [
    "sinus rhythm. left bundle branch block. abnormal ecg.",
    "atrial fibrillation. abnormal ecg.",
    "normal ecg.",
] * 5
REPORTS = ["sinus rhythm normal", "atrial fibrillation", "left bundle branch block"] * 3


def fast(marks):
    """A word-level tokenizer with the given names for pad, unknown and mask."""
    pad, unknown, mask = marks
    words = {w: i for i, w in enumerate([pad, unknown, mask, *sorted(set(" ".join(REPORTS).split()))])}
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token=unknown))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    inner.add_special_tokens(list(marks))
    return inner, {"pad_token": pad, "unk_token": unknown, "mask_token": mask}


@pytest.fixture
def bert(tmp_path):
    torch.manual_seed(0)
    inner, names = fast(("[PAD]", "[UNK]", "[MASK]"))
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.BertConfig(vocab_size=32, max_position_embeddings=20, **size)
    transformers.BertModel(config).save_pretrained(tmp_path)
    transformers.PreTrainedTokenizerFast(tokenizer_object=inner, **names).save_pretrained(tmp_path)
    return tmp_path


@pytest.fixture
def t5(tmp_path):
    inner, names = fast(("<pad>", "<unk>", "<extra_id_0>"))
    size = {"d_model": 16, "d_ff": 32, "d_kv": 8, "num_heads": 2, "num_layers": 2}
    config = transformers.T5Config(vocab_size=32, decoder_start_token_id=0, **size)
    transformers.T5EncoderModel(config).save_pretrained(tmp_path)
    names.pop("mask_token")
    transformers.PreTrainedTokenizerFast(tokenizer_object=inner, **names).save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", ["bert", "t5"])
def test_a_named_encoder_loads_and_gives_what_transformers_gives(kind, request):
    folder = request.getfixturevalue(kind)
    named, tokenizer = text.load_pretrained(str(folder), 10, 0)
    ids = torch.from_numpy(tokenizer(REPORTS)).long()
    attention_mask = ids != tokenizer.pad
    loader = transformers.T5EncoderModel if kind == "t5" else transformers.BertModel
    original = loader.from_pretrained(folder).eval()
    expected = original(input_ids=ids, attention_mask=attention_mask.long()).last_hidden_state
    assert torch.allclose(named.eval()(ids, attention_mask)[attention_mask], expected[attention_mask], atol=1e-5)
    assert named.width == 16


def test_build_from_config_gives_the_architecture_without_the_weights(bert):
    named, _ = text.load_pretrained(str(bert), 10, 0)
    again = text.build_from_config(named.body.config.to_dict())
    again.load_state_dict(named.state_dict(), strict=True)
    ids = torch.tensor([[3, 4, 5]])
    assert torch.allclose(again.eval()(ids, ids > 0), named.eval()(ids, ids > 0))


def test_frozen_layers_are_the_lowest_and_never_more_than_there_are(bert):
    named, _ = text.load_pretrained(str(bert), 10, 1)
    learned = {name for name, parameter in named.named_parameters() if parameter.requires_grad}
    assert any("layer.1." in name for name in learned)
    assert not any("layer.0." in name or "embeddings." in name for name in learned)  # their LayerNorm is frozen too
    with pytest.raises(ConfigError, match="2 layers"):
        text.load_pretrained(str(bert), 10, 3)


def test_all_that_lies_below_frozen_layers_is_frozen_whatever_the_architecture(t5):
    named, _ = text.load_pretrained(str(t5), 10, 1)
    learned = {name for name, parameter in named.named_parameters() if parameter.requires_grad}
    assert {name.split(".")[1:4] == ["encoder", "block", "1"] or "final_layer_norm" in name for name in learned} == {
        True
    }
    size = {"embedding_size": 8, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    electra = transformers.ElectraModel(transformers.ElectraConfig(vocab_size=32, intermediate_size=32, **size))
    text.freeze(electra, 1)
    learned = {name for name, parameter in electra.named_parameters() if parameter.requires_grad}
    assert learned
    assert all(name.startswith("encoder.layer.1.") for name in learned)


@pytest.mark.parametrize("name", ["nobody/no-such-model", "not a name"])
def test_a_name_that_is_nowhere_says_which_files_are_missing_and_what_to_do(name):
    with pytest.raises(ConfigError, match=r"config\.json, model\.safetensors .*, tokenizer\.json") as caught:
        text.load_pretrained(name, 10, 0)
    assert caught.value.fix.startswith(f"hf download {name}")


def test_a_pinned_encoder_is_looked_up_by_its_commit(bert, tmp_path, monkeypatch, caplog):
    commit, other = "a" * 40, "b" * 40
    snapshot = tmp_path / "cache/models--some--encoder/snapshots" / commit
    shutil.copytree(bert, snapshot, ignore=shutil.ignore_patterns("cache"))
    references = snapshot.parents[1] / "refs"
    references.mkdir()
    (references / "main").write_text(commit)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", partial(LOOK_UP, cache_dir=tmp_path / "cache"))
    text_files.require("some/encoder", commit)
    assert not caplog.records
    text_files.require("some/encoder", None)
    assert "'some/encoder' is not pinned" in caplog.text
    with pytest.raises(ConfigError, match=f"at revision {other}") as caught:
        text_files.require("some/encoder", other)
    assert f"hf download some/encoder --revision {other}" in caught.value.fix


def test_reports_longer_than_the_model_reads_are_refused_by_the_setting(bert):
    with pytest.raises(ConfigError, match="at most 20"):
        text.load_pretrained(str(bert), 21, 0)


def test_pickled_weights_are_never_opened(bert):
    state = transformers.BertModel.from_pretrained(bert).state_dict()
    (bert / "model.safetensors").unlink()
    torch.save(state, bert / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="safetensors"):
        text.load_pretrained(str(bert), 10, 0)


def test_hidden_words_are_replaced_and_asked_for():
    model = Model(width=16, heads=2, text_width=16, text_depth=1, text_heads=2, max_tokens=12)
    tokenizer = tokens.train(REPORTS, 100, 12)
    encoder = text.ReportEncoder(model, tokenizer, predicts_words=True)
    seen = []
    encoder.text_model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    ids = torch.from_numpy(tokenizer(REPORTS)).long()
    masked, words = encoder.hide(ids, {"word": torch.rand(len(ids), 12)}, Masking(text_ratio=0.3, statements=0.0))
    encoder(masked)
    changed = seen[0] != ids
    assert (seen[0][changed] == tokenizer.mask).all()
    assert changed.sum() == words.hidden.sum()
    assert torch.equal(words.ids, ids.gather(1, words.positions))
    assert not encoder.special[words.ids[words.hidden]].any()


def test_statements_are_left_out_in_training_only():
    model = Model(width=16, heads=2, text_width=16, text_depth=1, text_heads=2, max_tokens=24)
    tokenizer = tokens.train(LINES, 100, 24)
    encoder = text.ReportEncoder(model, tokenizer, predicts_words=False)
    read = []
    encoder.text_model.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    ids = torch.from_numpy(tokenizer(LINES)).long()
    noise = masking.draw_noise(len(ids), 12, 4, 24, torch.Generator().manual_seed(1))
    for training in (True, False):
        shortened, _ = encoder.train(training).hide(ids, noise, Masking(text_ratio=0.0, statements=1.0))
        encoder(shortened)
    assert torch.equal(read[1], ids)
    assert (read[0] != tokenizer.pad).sum() < (ids != tokenizer.pad).sum()
    decoded = [tokenizer.inner.decode(row.tolist()).replace("Ġ", "") for row in read[0]]
    statements = [{statement.strip() for statement in line.split(".") if statement.strip()} for line in LINES]
    for words, allowed in zip(decoded, statements, strict=True):
        read_statements = [statement.strip() for statement in words.split(".") if statement.strip()]
        assert read_statements
        assert set(read_statements) <= allowed
        assert len(set(read_statements)) == len(read_statements)
