"""Owns the settings of evaluation: embeddings, probes, zero-shot, retrieval, report."""

from typing import Literal

from pydantic import Field

from cgdmer.settings.base import Section

Representation = Literal["shared", "specific", "pooled"]


class Embed(Section):
    """How features are computed."""

    batch: int = Field(default=256, ge=1)
    seed: int = Field(default=0, ge=0)
    """Weights of the random control."""


class Probe(Section):
    """The linear-probe protocol (PROTOCOLS B.5)."""

    protocol: Literal["canonical", "merl", "melp"] = "canonical"
    fractions: list[float] = [0.01, 0.1, 1.0]
    """Shares of the training split."""
    seeds: int = Field(default=5, ge=1)
    """Nested subsets drawn at each fraction below 1."""
    strengths: list[float] = [1e-4, 1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3]
    """Inverse L2 strengths C; the best on validation is used."""
    representations: list[Representation] = ["shared", "specific", "pooled"]
    bootstrap: int = Field(default=1000, ge=10)
    """Replicates of the test-set bootstrap."""


class ZeroShot(Section):
    """Zero-shot classification on the shared space."""

    prompts: Literal["statements", "ckepe"] = "statements"
    """`statements` ships with the package; `ckepe` is the published file (needs the protocol files)."""
    ensemble: bool = False
    """Put each prompt into several phrasings and average their vectors."""
    bootstrap: int = Field(default=1000, ge=10)


class Retrieval(Section):
    """Report to ECG and back, on held-out records of the pretraining corpora."""

    max_records: int = Field(default=2000, ge=2)
    recall_at: list[int] = [1, 5, 10]


class Report(Section):
    """The page a person reads."""

    title: str = "CG-DMER benchmark"
    fraction: float = 1.0
    """Label fraction of the headline table."""
    published: bool = True
    """Show published rows that were read in their source, apart from ours."""
