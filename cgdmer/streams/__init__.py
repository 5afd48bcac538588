"""Simulated records drawn while training runs, and records without report: sources beside the shards of corpora."""

from cgdmer.streams.plan import SlidingPlan
from cgdmer.streams.reference import Reference, draw_reference
from cgdmer.streams.stream import Stream, open_stream

__all__ = ["Reference", "SlidingPlan", "Stream", "draw_reference", "open_stream"]
