"""Simulation of physiological 12-lead ECGs with findings and report sentences; no file formats."""

from cgdmer.simulator.findings import FINDINGS, Case
from cgdmer.simulator.gallery import gallery
from cgdmer.simulator.population import POPULATIONS, draw_cases
from cgdmer.simulator.recording import rr_intervals, simulate
from cgdmer.simulator.sentences import report_lines

__all__ = ["FINDINGS", "POPULATIONS", "Case", "draw_cases", "gallery", "report_lines", "rr_intervals", "simulate"]
