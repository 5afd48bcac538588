"""The stages of dvc.yaml side by side: `dvc repro` runs one after the other, and many of them keep one core busy."""
