"""Owns signals as arrays: lead names and order, and the one canonical form of a recording."""

from cgdmer.signals.leads import LEADS, canonical_leads

__all__ = ["LEADS", "canonical_leads"]
