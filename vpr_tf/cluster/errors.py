"""Errors of work on a cluster."""


class ClusterError(RuntimeError):
    """A cluster does not answer, or its machines cannot do the work."""
