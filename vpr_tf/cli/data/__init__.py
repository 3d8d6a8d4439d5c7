"""`vpr data`: prepared datasets."""
