"""Checkpoint files in the layouts of the published encoders, with small tensors under the published names."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import torch
from safetensors.torch import save_file

from cgdmer.encoders import published


class Skeleton:
    """Stands in for a network: its tensors have the published names and numbers of axes, each two long."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.tensors = {name: small(tensor) for name, tensor in network.state_dict().items()}
        self.weights = [name for name, _ in network.named_parameters()]

    def state_dict(self) -> dict[str, torch.Tensor]:
        return self.tensors

    def named_parameters(self) -> list[tuple[str, torch.Tensor]]:
        return [(name, self.tensors[name]) for name in self.weights]


def small(tensor: torch.Tensor) -> torch.Tensor:
    return torch.empty((2,) * tensor.ndim, dtype=tensor.dtype)


def small_card(name: str) -> published.Card:
    """Return the card of a published encoder whose network is a skeleton."""
    card = published.card(name)
    with torch.device("meta"):
        network = card.network()
    with torch.device("cpu"):
        skeleton = Skeleton(network)
    return replace(card, network=lambda: skeleton)


def state(card: published.Card, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    """Return a state dict whose values differ from tensor to tensor and are exact in half precision."""
    network = card.network()
    return {
        name: torch.full_like(tensor, number % 50 + 1, dtype=dtype if tensor.is_floating_point() else None)
        for number, (name, tensor) in enumerate(network.state_dict().items())
    }


ARGUMENTS = SimpleNamespace(epochs=100, lr=1e-3)
"""Settings of a training program, as its checkpoints hold them: an object, which needs its class to be read."""
PUBLISHED = {
    "merl_resnet18": ("", "", ("linear.weight", "linear.bias")),
    "merl_resnet18, whole model": (
        "", "ecg_encoder.",
        ("ecg_encoder.linear.weight", "lm_model.embeddings.weight", "proj_t.0.weight", "linear1.weight", "linear2.bias",
         "downconv.bias", "att_pool_head.c_proj.weight"),
    ),
    "merl_vit_tiny": ("", "", ()),
    "merl_vit_tiny, whole model": (
        "", "ecg_encoder.", ("lm_model.embeddings.weight", "proj_t.0.weight", "linear1.weight", "proj_e.0.weight")
    ),
    "melp": (
        "", "ecg_encoder.",
        ("ecg_encoder.ecg_encoder.mask_emb", "ecg_encoder.ecg_encoder.quantizer.vars", "ecg_encoder.logit_scale",
         "ecg_encoder.ecg_encoder.project_q.weight", "ecg_encoder.ecg_encoder.final_proj.bias", "ecg_encoder.bn.weight",
         "ecg_encoder.attn_pool_caption.query", "ecg_encoder.ln_caption.bias", "ecg_encoder.proj_contrast"),
    ),
    "heartlang": ("model", "", ("lm_head.weight", "lm_head.bias", "mask_token")),
    "heartlang, module": ("module", "", ("lm_head.weight", "lm_head.bias", "mask_token")),
    "ecg_fm": ("model", "", ("mask_emb", "quantizer.vars", "project_q.weight", "final_proj.bias")),
    "ecg_fm, fine-tuned": ("model", "encoder.", ("proj.weight", "proj.bias")),
    "ecgfounder": (
        "state_dict", "",
        ("dense.weight", "dense.bias", "first_bn.weight", "stage_list.0.block_list.0.bn1.running_mean",
         "stage_list.6.block_list.3.bn3.bias"),
    ),
    "ecg_jepa": ("encoder", "", ()),
}  # fmt: skip
"""Wrapper, prefix and further tensors of each kind of published file, by the encoder and what it is."""


def write(
    path: Path, layout: str, card: published.Card, *, dtype: torch.dtype = torch.float32, objects: bool = False
) -> dict[str, torch.Tensor]:
    """Write a file in one of the layouts; return the tensors of the encoder by its own names."""
    wrapper, prefix, others = PUBLISHED[layout]
    tensors = state(card, dtype)
    content = published_names(card, tensors, prefix) | {name: torch.ones(3, dtype=dtype) for name in others}
    if path.suffix == ".safetensors":
        save_file(content, path)
        return tensors
    whole = {wrapper: content, "epoch": 100, "optimizer": {"state": {0: {"step": 5}}}} if wrapper else content
    torch.save(whole | ({"args": ARGUMENTS} if objects else {}), path)
    return tensors


def published_names(card: published.Card, tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """Return the tensors under the names that the published file has."""
    names = {name: name for name in tensors}
    for old, new in card.checkpoint.renames:
        names = {name: told.replace(new, old) for name, told in names.items()}
    return {prefix + names[name]: tensor for name, tensor in tensors.items()}
