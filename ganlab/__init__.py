"""ganlab: train, compare and understand generative adversarial models."""

__version__ = "0.1.0"
