"""Fine-tuning and its supervised baseline: every weight of the ECG encoder trained on labels."""
