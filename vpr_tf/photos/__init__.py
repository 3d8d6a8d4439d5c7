"""Photos on disk: where they are, what is known of them, whether they can be read."""
