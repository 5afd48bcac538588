"""The results of all stages as metrics.json, the benchmark page, Markdown and plots. Importing it is light."""

from cgdmer.report.headline import headline

__all__ = ["headline"]
