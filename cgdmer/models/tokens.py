"""Report tokenizers: trained from scratch on the reports, or the one of a Hugging Face model; saved as one file."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

from cgdmer.errors import DataError
from cgdmer.files import atomic

FILE = "tokenizer.json"
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""Special tokens of a vocabulary that is trained from scratch."""
MASK_NAMES = ("[MASK]", "<mask>", "<extra_id_0>")
PAD_NAMES = ("[PAD]", "<pad>", "<|endoftext|>")
"""Names of the mask and padding tokens across vocabularies. T5 has no mask token; its first sentinel serves as one."""

SPACES = " \u0120\u2581"
"""How vocabularies write the space before a word: as a space, as in byte-level BPE, as in SentencePiece."""


class Tokenizer:
    """Turns reports into rows of token ids, cut to `length`.

    `pad`, `mask`, `special_ids` and `period_ids` (the tokens that end a statement) are token ids.
    """

    def __init__(self, inner: tokenizers.Tokenizer, length: int) -> None:
        self.inner, self.length = inner, length
        self.inner.no_padding()
        self.inner.enable_truncation(length)
        self.pad, self.mask = self._first_of(PAD_NAMES), self._first_of(MASK_NAMES)
        special = [id for id, token in inner.get_added_tokens_decoder().items() if token.special]
        self.special_ids = sorted({self.pad, *special})
        self.period_ids = sorted(id for token, id in inner.get_vocab().items() if token.strip(SPACES) == ".")

    def _first_of(self, names: Sequence[str]) -> int:
        """Return the id of the first name in the vocabulary; DataError when it has none of them."""
        for name in names:
            if (id := self.inner.token_to_id(name)) is not None:
                return int(id)
        raise DataError(f"the tokenizer has none of the tokens {', '.join(names)}", fix="add one to its vocabulary")

    def __len__(self) -> int:
        return int(self.inner.get_vocab_size())

    def __call__(self, reports: Sequence[str], *, width: int | None = None) -> np.ndarray:
        """Encode n reports as int32 (n, S), padded to a multiple of 8 that holds the longest, or to `width`."""
        rows = [encoding.ids for encoding in self.inner.encode_batch(list(reports))]
        longest = max(map(len, rows), default=1)
        out = np.full((len(rows), width or min(self.length, -(-longest // 8) * 8)), self.pad, dtype=np.int32)
        for row, ids in zip(out, rows, strict=True):
            row[: len(ids)] = ids
        return out

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json` into the folder."""
        with atomic(folder / FILE) as temporary:
            self.inner.save(str(temporary), pretty=True)


def load(folder: Path, length: int) -> Tokenizer:
    """Read a saved tokenizer; DataError when the file is missing or damaged."""
    try:
        return Tokenizer(tokenizers.Tokenizer.from_file(str(folder / FILE)), length)
    except DataError:
        raise
    except Exception as error:  # the Rust library raises bare Exception
        raise DataError(
            f"{folder / FILE} cannot be read: {error}", fix="dvc checkout, or dvc repro pretrain"
        ) from error


def train(reports: Iterable[str], vocabulary: int, length: int) -> Tokenizer:
    """Learn lower-cased byte pairs from the distinct reports; the same reports give the same vocabulary.

    Word pieces would not: their trainer numbers `##` pieces in the order of a hash table, which differs between
    processes.
    """
    inner = tokenizers.Tokenizer(models.BPE(unk_token=SPECIAL[1]))
    inner.normalizer = normalizers.BertNormalizer(lowercase=True)
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=list(SPECIAL), show_progress=False)
    inner.train_from_iterator(sorted(set(reports)), trainer)
    cls, sep = inner.token_to_id("[CLS]"), inner.token_to_id("[SEP]")
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", cls), ("[SEP]", sep)]
    )
    return Tokenizer(inner, length)
