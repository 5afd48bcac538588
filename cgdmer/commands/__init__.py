"""The commands of the CLI for recordings, corpora and this machine: one file per command."""
