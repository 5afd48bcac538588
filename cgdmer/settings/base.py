"""What every settings section shares: it is strict and frozen, and it refuses unknown keys."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Examples = Literal["auto", "always", "never"]
"""Whether a stage shows ids and report texts of single records; `auto` shows those of simulated corpora only."""


class Section(BaseModel):
    """A section of `params.yaml`. The docstring below each field is its entry in `docs/settings.md`."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )
