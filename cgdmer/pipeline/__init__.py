"""Run the stages of dvc.yaml side by side: `dvc repro` runs one at a time, and many of them use one core only."""

ADDRESS = "CGDMER_FORK_SERVER"
"""The environment variable in which a stage's command finds the server that forks its call; see `forking`."""
