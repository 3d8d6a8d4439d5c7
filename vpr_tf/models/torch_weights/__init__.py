"""Checkpoints of the official PyTorch code: read, converted, written; without torch."""
