"""`vpr data datasets`: public datasets."""
