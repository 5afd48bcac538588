"""Owns the commands for own recordings and for the state of this machine: one file a command."""
