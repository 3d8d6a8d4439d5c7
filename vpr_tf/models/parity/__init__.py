"""Compares an encoder with the official network, layer by layer."""
