"""Owns what every settings section shares: strict, frozen, and no unknown key."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Examples = Literal["auto", "always", "never"]
"""Whether a stage shows ids and report texts of single records; `auto` does for simulated corpora."""


class Section(BaseModel):
    """A part of `params.yaml`; the string below each field is its manual."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True)
