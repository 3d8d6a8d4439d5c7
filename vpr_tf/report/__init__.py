"""Numbers that a paper can rely on: recall, errors and confidence with intervals.

Names are loaded when they are used: reports are compared without TensorFlow.
"""

import importlib
from typing import Any

_MODULE_OF = {
    "COLOURS": "figure_style",
    "BootstrapSettings": "bootstrap",
    "Comparison": "comparison",
    "Drawing": "figure_style",
    "Report": "report",
    "ReportError": "errors",
    "StoredReport": "stored_report",
    "bootstrap_percentages": "bootstrap",
    "build_report": "build",
    "compare": "comparison",
    "compare_runs": "comparison_files",
    "comparison_markdown": "comparison_files",
    "headline_table": "tables",
    "json_ready": "json_values",
    "read_report": "stored_report",
    "run_report": "run",
    "write_html": "report_files",
    "write_report": "report_files",
}
__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_MODULE_OF[name]}")
    return getattr(module, name)
