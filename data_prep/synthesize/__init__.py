"""Miniature city: a seeded procedural city as a dataset with SF-XL names."""
