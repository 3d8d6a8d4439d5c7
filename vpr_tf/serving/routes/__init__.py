"""What the service answers to, one file a subject."""
