"""The report encoder: a small transformer trained from scratch, or a Hugging Face encoder by name or local path."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cgdmer.errors import ConfigError
from cgdmer.models import text_files, tokens
from cgdmer.models.masking import Noise, drop_statements, sample_hidden_words
from cgdmer.models.patches import gather_tokens, sincos_positions
from cgdmer.models.transformer import Transformer
from cgdmer.settings import Masking, Model


class ScratchText(nn.Module):
    """Token embedding, fixed positions and a few transformer blocks."""

    positions: Tensor

    def __init__(self, settings: Model, vocabulary: int) -> None:
        super().__init__()
        self.width = settings.text_width
        self.embed = nn.Embedding(vocabulary, self.width)
        self.register_buffer("positions", sincos_positions(settings.max_tokens, self.width), persistent=False)
        self.transformer = Transformer(self.width, settings.text_depth, settings.text_heads, settings.dropout)

    def forward(self, ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode token ids (B, S) as (B, S, W); `attention_mask` (B, S) is False on padding."""
        encoded: Tensor = self.transformer(self.embed(ids) + self.positions[: ids.shape[1]], attention_mask)
        return encoded


class HuggingFaceText(nn.Module):
    """Any Hugging Face encoder that maps ids and an attention mask to `last_hidden_state`."""

    pretrained = True
    """The optimiser gives the parameters of such a module the learning rate `train.text_lr`."""

    def __init__(self, body: Any, frozen_layers: int) -> None:
        super().__init__()
        self.body = body
        self.width = int(body.config.hidden_size)
        if getattr(body, "pooler", None) is not None:
            body.pooler = None  # nothing reads it, and a parameter without gradient would stop DDP
        freeze(body, frozen_layers)

    def forward(self, ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode token ids (B, S) as (B, S, W); `attention_mask` (B, S) is False on padding."""
        encoded: Tensor = self.body(input_ids=ids, attention_mask=attention_mask.long()).last_hidden_state
        return encoded


@dataclass(frozen=True)
class HiddenWords:
    """The report tokens that were replaced by the mask token."""

    positions: Tensor
    """int64 (B, K): positions among the S tokens."""
    ids: Tensor
    """int64 (B, K): the original token ids at these positions."""
    hidden: Tensor
    """bool (B, K): False where a report hides fewer than K tokens and the position only fills up the row."""


class ReportEncoder(nn.Module):
    """A text model, a linear map to the width of the ECG encoder, and a head that predicts hidden words."""

    special: Tensor
    ends: Tensor

    def __init__(
        self, settings: Model, tokenizer: tokens.Tokenizer, text: HuggingFaceText | None = None, *,
        predicts_words: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self.pad, self.mask = tokenizer.pad, tokenizer.mask
        self.text_model = text or ScratchText(settings, len(tokenizer))
        width, inputs = settings.width, 2 if settings.disentangled else 1
        self.to_width = nn.Linear(self.text_model.width, width)
        head = (nn.Linear(inputs * width, width), nn.GELU(), nn.LayerNorm(width), nn.Linear(width, len(tokenizer)))
        self.word_head = nn.Sequential(*head) if predicts_words else None

        # which token ids are special, and which end a statement
        special = torch.zeros(max(len(tokenizer), max(tokenizer.special_ids) + 1), dtype=torch.bool)
        special[tokenizer.special_ids] = True
        self.register_buffer("special", special, persistent=False)
        ends = torch.zeros_like(special)
        ends[tokenizer.period_ids] = True
        self.register_buffer("ends", ends, persistent=False)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Encode reports (B, S) as tokens (B, S, D) and an attention mask (B, S), False on padding."""
        attention_mask = ids != self.pad
        return self.to_width(self.text_model(ids, attention_mask)), attention_mask

    def hide(self, ids: Tensor, noise: Noise, masking: Masking) -> tuple[Tensor, HiddenWords | None]:
        """Remove statements (in training only) and mask words of reports (B, S); return both, None for no words."""
        if self.training and masking.statements > 0:
            ids = drop_statements(ids, self.ends[ids], self.special[ids], self.pad, noise, masking.statements)  # (B, S)
        if masking.text_ratio == 0:
            return ids, None
        positions, hidden = sample_hidden_words(~self.special[ids], noise["word"], masking.text_ratio)  # (B, K) twice
        original = ids.gather(1, positions)  # (B, K)
        masked = ids.scatter(1, positions, original.where(~hidden, self.mask))  # (B, S)
        return masked, HiddenWords(positions, original, hidden)

    def predict_words(self, features: Tensor, positions: Tensor) -> Tensor:
        """Map features (B, S, 2D) at the hidden positions (B, K) to logits (B, K, vocabulary)."""
        assert self.word_head is not None
        logits: Tensor = self.word_head(gather_tokens(features, positions))
        return logits


def freeze(body: nn.Module, layers: int) -> None:
    """Freeze the lowest `layers` layers and all that lies below them: embeddings, their norm, a projection.

    ConfigError when the encoder has fewer layers.
    """
    if not layers:
        return
    stacks = [module for module in body.modules() if isinstance(module, nn.ModuleList)]
    stack = max(stacks, key=len)
    if layers > len(stack):
        raise ConfigError(
            f"model.text_frozen_layers = {layers}, but the encoder has {len(stack)} layers", fix="edit params.yaml"
        )
    embeddings = [module for module in body.modules() if isinstance(module, nn.Embedding)]
    for module in [*embeddings, *_modules_before(body, stack), *stack[:layers]]:
        module.requires_grad_(False)


def _modules_before(body: nn.Module, stack: nn.Module) -> Iterator[nn.Module]:
    """Yield the modules that are defined before the stack of layers, at every level around it."""
    for child in body.children():
        if any(module is stack for module in child.modules()):
            yield from _modules_before(child, stack) if child is not stack else ()
            return
        yield child


def load_pretrained(
    name: str, length: int, frozen_layers: int, revision: str | None = None
) -> tuple[HuggingFaceText, tokens.Tokenizer]:
    """Load a pretrained encoder and its tokenizer from safetensors, never from a pickle; `revision` is a commit.

    ConfigError when `name` is neither a folder nor in the local Hugging Face cache; it says how to get the files.
    """
    import transformers

    text_files.require(name, revision)
    try:
        config = transformers.AutoConfig.from_pretrained(name, revision=revision)
        pretrained_tokenizer = transformers.AutoTokenizer.from_pretrained(name, revision=revision)
        body = _model_class(config).from_pretrained(name, revision=revision, use_safetensors=True, dtype=torch.float32)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"model.text: '{name}' cannot be loaded: {str(error).splitlines()[0]}",
            allowed="null, a folder with config.json, model.safetensors and tokenizer.json, or a model name",
            fix=text_files.download_command(name, revision),
        ) from error
    longest = getattr(config, "max_position_embeddings", length) or length
    if length > longest:
        raise ConfigError(f"model.max_tokens = {length}, but '{name}' reads at most {longest}", fix="edit params.yaml")
    return HuggingFaceText(body, frozen_layers), tokens.Tokenizer(pretrained_tokenizer.backend_tokenizer, length)


def build_from_config(config: dict[str, Any], frozen_layers: int = 0) -> HuggingFaceText:
    """Build the architecture of a Hugging Face encoder with random weights; `config` needs at least `model_type`."""
    import transformers

    parsed = transformers.AutoConfig.for_model(**config)
    return HuggingFaceText(_model_class(parsed).from_config(parsed), frozen_layers)


def _model_class(config: Any) -> Any:
    """Return the auto class that loads the encoder: T5 and its relatives have one of their own."""
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_ENCODING_MAPPING as ENCODERS

    return transformers.AutoModelForTextEncoding if type(config) in ENCODERS else transformers.AutoModel
