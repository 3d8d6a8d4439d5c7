"""`vpr models`: encoders."""
