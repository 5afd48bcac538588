"""Owns the method: patches, masking, the two towers, the shared and specific encoders; read `cgdmer.py` first."""
