"""Published checkpoints as safetensors: read without running their code, checked, written with a card."""
