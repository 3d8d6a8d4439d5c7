"""From photos with positions to a prepared dataset: `python -m data_prep`."""
