"""What a dataset holds: numbers in the terminal, pictures in a folder."""
