"""Numbers that a paper can rely on: recall, errors and confidence with intervals."""
