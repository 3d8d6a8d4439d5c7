"""Where images come from: folders with SF-XL names, CSV tables."""
