"""Errors of reports, for people: one line that says what to do."""


class ReportError(ValueError):
    """Reports that are missing, damaged or not comparable."""
