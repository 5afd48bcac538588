"""Owns report tokenizers: one trained from scratch on the reports, or a named model's own, saved as files."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

from cgdmer.errors import DataError
from cgdmer.files import atomic

FILE = "tokenizer.json"
MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MASKS = ("[MASK]", "<mask>", "<extra_id_0>")
PADS = ("[PAD]", "<pad>", "<|endoftext|>")
"""Names under which vocabularies keep these marks; T5 has no mask, its first sentinel stands in."""

SPACES = " \u0120\u2581"
"""How vocabularies write the space before a word: itself, byte-level's, SentencePiece's."""


class Tokenizer:
    """Reports to rows of token ids; `pad`, `mask`, `marks` and `periods` (after a statement) are ids."""

    def __init__(self, inner: tokenizers.Tokenizer, length: int) -> None:
        self.inner, self.length = inner, length
        self.inner.no_padding()
        self.inner.enable_truncation(length)
        self.pad, self.mask = self._named(PADS), self._named(MASKS)
        special = [i for i, token in inner.get_added_tokens_decoder().items() if token.special]
        self.marks = sorted({self.pad, *special})
        self.periods = sorted(number for token, number in inner.get_vocab().items() if token.strip(SPACES) == ".")

    def _named(self, names: Sequence[str]) -> int:
        for name in names:
            if (number := self.inner.token_to_id(name)) is not None:
                return int(number)
        raise DataError(f"the tokenizer has none of the tokens {', '.join(names)}", fix="add one to its vocabulary")

    def __len__(self) -> int:
        return int(self.inner.get_vocab_size())

    def __call__(self, reports: Sequence[str], *, width: int | None = None) -> np.ndarray:
        """Encode to int32 (n, S), padded to the longest report rounded up to 8, or to `width`."""
        rows = [encoding.ids for encoding in self.inner.encode_batch(list(reports))]
        longest = max(map(len, rows), default=1)
        out = np.full((len(rows), width or min(self.length, -(-longest // 8) * 8)), self.pad, dtype=np.int32)
        for row, ids in zip(out, rows, strict=True):
            row[: len(ids)] = ids
        return out

    def save(self, folder: Path) -> None:
        with atomic(folder / FILE) as temporary:
            self.inner.save(str(temporary), pretty=True)


def load(folder: Path, length: int) -> Tokenizer:
    """Read a saved tokenizer; DataError when it is missing or damaged."""
    try:
        return Tokenizer(tokenizers.Tokenizer.from_file(str(folder / FILE)), length)
    except DataError:
        raise
    except Exception as error:  # the Rust side raises bare Exception
        raise DataError(
            f"{folder / FILE} cannot be read: {error}", fix="dvc checkout, or dvc repro pretrain"
        ) from error


def train(reports: Iterable[str], vocabulary: int, length: int) -> Tokenizer:
    """Learn lower-cased byte pairs from distinct reports; the same reports give the same vocabulary.

    Word pieces would not: their trainer numbers `##` pieces in the order of a hash table, which changes by process.
    """
    inner = tokenizers.Tokenizer(models.BPE(unk_token=MARKS[1]))
    inner.normalizer = normalizers.BertNormalizer(lowercase=True)
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=list(MARKS), show_progress=False)
    inner.train_from_iterator(sorted(set(reports)), trainer)
    cls, sep = inner.token_to_id("[CLS]"), inner.token_to_id("[SEP]")
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", cls), ("[SEP]", sep)]
    )
    return Tokenizer(inner, length)
