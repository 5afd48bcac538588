"""Encoders for other programs: folders and cards as the Hugging Face hub has them, download from a hub, ONNX."""
