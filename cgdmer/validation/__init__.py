"""Validation of a corpus with Great Expectations: suites over its index and shards, result, page, failing rows."""

from cgdmer.validation.assess import assess, failing_rows, verdict
from cgdmer.validation.page import render

__all__ = ["assess", "failing_rows", "render", "verdict"]
