"""Run the stages of dvc.yaml side by side: `dvc repro` runs one at a time, and many of them use one core only."""
