"""Prepared datasets: records, random access, class-balanced batches."""
