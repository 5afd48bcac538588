"""CG-DMER: contrastive-generative pretraining of disentangled ECG and report encoders."""

__version__ = "0.1.0"
