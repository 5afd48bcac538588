"""Owns the report: what all stages found, as metrics.json, a page, Markdown and plots. Importing it is light."""

from cgdmer.report.headline import headline

__all__ = ["headline"]
