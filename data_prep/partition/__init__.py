"""Classes and groups over the positions and headings of the train split."""
