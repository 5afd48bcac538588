"""A report encoder with the architecture of `ncbi/MedCPT-Query-Encoder`, random weights and a stand-in tokenizer.

It has the size and cost of the pretrained encoder and needs no network.
"""

from typing import Any

import tokenizers

from cgdmer.models import text
from cgdmer.models.tokens import SPECIAL, Tokenizer

CONFIGS: dict[str, dict[str, Any]] = {
    "ncbi/MedCPT-Query-Encoder": {
        "model_type": "bert",
        "vocab_size": 30522,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "max_position_embeddings": 512,
    }
}
"""Architecture of the encoders that profiles name; all else is the default of the model type."""
WORDS = (
    "sinus",
    "rhythm",
    "atrial",
    "fibrillation",
    "left",
    "bundle",
    "branch",
    "block",
    "normal",
    "ecg",
    "infarct",
    ".",
)


def untrained(
    name: str, length: int, frozen_layers: int, revision: str | None = None
) -> tuple[text.HuggingFaceText, Tokenizer]:
    """Return the encoder `name` with random weights, and a word tokenizer with as many entries as its vocabulary.

    `length` is the longest report in tokens; random weights have no `revision`. Raises KeyError for a name that is not
    in `CONFIGS`.
    """
    config = CONFIGS[name]
    entries = [*SPECIAL, *WORDS]
    entries += [f"word{number}" for number in range(len(entries), config["vocab_size"])]
    vocabulary = {entry: number for number, entry in enumerate(entries)}
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token=SPECIAL[1]))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    inner.add_special_tokens(list(SPECIAL))
    inner.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(mark, vocabulary[mark]) for mark in ("[CLS]", "[SEP]")]
    )
    return text.build_from_config(config, frozen_layers), Tokenizer(inner, length)
