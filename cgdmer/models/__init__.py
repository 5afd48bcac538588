"""The method: patches, masks, ECG and report encoders, disentanglement and decoders. Read `cgdmer.py` first."""
