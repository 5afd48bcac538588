"""Beats, waves and measurements of a recording: where P, QRS and T begin and end in each lead, and what follows."""
