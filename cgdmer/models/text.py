"""Owns the report tower: a small encoder trained from scratch, or a Hugging Face encoder by name or local path."""

from typing import Any

import torch
from torch import Tensor, nn

from cgdmer.errors import ConfigError
from cgdmer.models import tokens
from cgdmer.models.masking import Noise, report_places, some_statements
from cgdmer.models.patches import sincos, take
from cgdmer.models.transformer import Transformer
from cgdmer.settings import Masking, Model


class ScratchText(nn.Module):
    """Token embedding, fixed positions, a few blocks."""

    time: Tensor

    def __init__(self, settings: Model, vocabulary: int) -> None:
        super().__init__()
        self.width = settings.text_width
        self.embed = nn.Embedding(vocabulary, self.width)
        self.register_buffer("time", sincos(settings.max_tokens, self.width), persistent=False)
        self.blocks = Transformer(self.width, settings.text_depth, settings.text_heads, settings.dropout)

    def forward(self, ids: Tensor, real: Tensor) -> Tensor:
        """Token ids (B, S) and which are not padding (B, S) to (B, S, W)."""
        out: Tensor = self.blocks(self.embed(ids) + self.time[: ids.shape[1]], real)
        return out


class NamedText(nn.Module):
    """Any Hugging Face encoder that maps ids and an attention mask to `last_hidden_state`."""

    def __init__(self, body: Any, frozen_layers: int) -> None:
        super().__init__()
        self.body = body
        self.width = int(body.config.hidden_size)
        if getattr(body, "pooler", None) is not None:
            body.pooler = None  # never read here, and a parameter without gradient would stop DDP
        freeze(body, frozen_layers)

    def forward(self, ids: Tensor, real: Tensor) -> Tensor:
        """Token ids (B, S) and which are not padding (B, S) to (B, S, W)."""
        out: Tensor = self.body(input_ids=ids, attention_mask=real.long()).last_hidden_state
        return out


class ReportTower(nn.Module):
    """A report encoder, a bridge to the model's width, and the head that guesses hidden words."""

    marks: Tensor
    ends: Tensor

    def __init__(
        self, settings: Model, tokenizer: tokens.Tokenizer, named: NamedText | None = None, *, guesses: bool
    ) -> None:
        super().__init__()
        self.pad, self.mask = tokenizer.pad, tokenizer.mask
        self.body = named or ScratchText(settings, len(tokenizer))
        width, parts = settings.width, 2 if settings.disentangled else 1
        self.fit = nn.Linear(self.body.width, width)
        head = (nn.Linear(parts * width, width), nn.GELU(), nn.LayerNorm(width), nn.Linear(width, len(tokenizer)))
        self.words = nn.Sequential(*head) if guesses else None
        marks = torch.zeros(max(len(tokenizer), max(tokenizer.marks) + 1), dtype=torch.bool)
        marks[tokenizer.marks] = True
        self.register_buffer("marks", marks, persistent=False)
        ends = torch.zeros_like(marks)
        ends[tokenizer.periods] = True
        self.register_buffer("ends", ends, persistent=False)

    def forward(self, ids: Tensor, drawn: Noise, masking: Masking, out: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Hide statements (in training) and words of (B, S) and encode the rest: (B, S, D) and which are real (B, S).

        Where words are guessed, `out` gains their places, ids and which of them count, each (B, K).
        """
        if self.training and masking.statements > 0:
            ids = some_statements(ids, self.ends[ids], self.marks[ids], self.pad, drawn, masking.statements)
        if masking.text_ratio == 0:
            return self.encode(ids)
        places, counted = report_places(ids, ~self.marks[ids], drawn["text"], masking.text_ratio)  # (B, K) twice
        written = ids.gather(1, places)  # (B, K)
        if self.words is not None:
            out["word_places"], out["words"], out["word_counts"] = places, written, counted
        return self.encode(ids.scatter(1, places, written.where(~counted, self.mask)))

    def encode(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, S) to (B, S, D), and which are not padding (B, S)."""
        real = ids != self.pad
        return self.fit(self.body(ids, real)), real

    def guess(self, parts: Tensor, places: Tensor) -> Tensor:
        """Both parts of the tokens (B, S, 2D) to logits at the hidden places (B, K, vocabulary)."""
        assert self.words is not None
        out: Tensor = self.words(take(parts, places))
        return out


def freeze(body: nn.Module, layers: int) -> None:
    """Fix the embeddings and the lowest layers; ConfigError when there are fewer."""
    if not layers:
        return
    stacks = [module for module in body.modules() if isinstance(module, nn.ModuleList)]
    stack = max(stacks, key=len)
    if layers > len(stack):
        raise ConfigError(
            f"model.text_frozen_layers = {layers}, but the encoder has {len(stack)} layers", fix="edit params.yaml"
        )
    for part in [*(m for m in body.modules() if isinstance(m, nn.Embedding)), *stack[:layers]]:
        part.requires_grad_(False)


def fetch(name: str, length: int, frozen_layers: int) -> tuple[NamedText, tokens.Tokenizer]:
    """Load a pretrained encoder with its tokenizer; only safetensors, never a pickle.

    ConfigError says how to get the files when they are neither a folder nor in the local Hugging Face cache.
    """
    import transformers

    try:
        config = transformers.AutoConfig.from_pretrained(name)
        words = transformers.AutoTokenizer.from_pretrained(name)
        body = _kind(config).from_pretrained(name, use_safetensors=True, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"model.text: '{name}' cannot be loaded: {str(error).splitlines()[0]}",
            allowed="null, a folder with config.json, model.safetensors and tokenizer.json, or a model name",
            fix=f"hf download {name}; weights that exist as .bin only must be converted to safetensors once",
        ) from error
    most = getattr(config, "max_position_embeddings", length) or length
    if length > most:
        raise ConfigError(f"model.max_tokens = {length}, but '{name}' reads at most {most}", fix="edit params.yaml")
    return NamedText(body, frozen_layers), tokens.Tokenizer(words.backend_tokenizer, length)


def rebuild(config: dict[str, Any]) -> NamedText:
    """Build the architecture of a saved named encoder without its original weights."""
    import transformers

    kind = transformers.AutoConfig.for_model(**config)
    return NamedText(_kind(kind).from_config(kind), 0)


def _kind(config: Any) -> Any:
    """Return the loader: T5 and its kin have an encoder of their own."""
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_ENCODING_MAPPING as ENCODERS

    return transformers.AutoModelForTextEncoding if type(config) in ENCODERS else transformers.AutoModel
