"""Numbers that a paper can rely on: recall, errors and confidence with intervals.

Names are loaded when they are used: reports are compared without TensorFlow.
"""

from vpr_tf._lazy import lazy_names

_MODULE_OF = {
    "COLOURS": "vpr_tf.report.figure_style",
    "BootstrapSettings": "vpr_tf.report.bootstrap",
    "Comparison": "vpr_tf.report.comparison",
    "Drawing": "vpr_tf.report.figure_style",
    "RUN_COLOURS": "vpr_tf.report.figure_style",
    "Report": "vpr_tf.report.report",
    "ReportError": "vpr_tf.report.errors",
    "RunTable": "vpr_tf.report.run_table",
    "SetSource": "vpr_tf.report.set_properties",
    "Smoothness": "vpr_tf.report.smoothness",
    "StoredReport": "vpr_tf.report.stored_report",
    "bootstrap_percentages": "vpr_tf.report.bootstrap",
    "build_report": "vpr_tf.report.build",
    "compare": "vpr_tf.report.comparison",
    "compare_runs": "vpr_tf.report.comparison_files",
    "comparison_markdown": "vpr_tf.report.comparison_files",
    "find_reports": "vpr_tf.report.stored_report",
    "headline_table": "vpr_tf.report.tables",
    "json_ready": "vpr_tf.report.json_values",
    "measure_sets": "vpr_tf.report.set_properties",
    "measure_smoothness": "vpr_tf.report.smoothness",
    "read_report": "vpr_tf.report.stored_report",
    "run_report": "vpr_tf.report.run",
    "run_table_markdown": "vpr_tf.report.run_table_files",
    "sets_content": "vpr_tf.report.set_files",
    "sets_markdown": "vpr_tf.report.set_files",
    "tabulate_runs": "vpr_tf.report.run_table",
    "wilson_percentages": "vpr_tf.report.proportions",
    "write_html": "vpr_tf.report.report_files",
    "write_latex_report": "vpr_tf.report.latex_report",
    "write_report": "vpr_tf.report.report_files",
    "write_run_table": "vpr_tf.report.run_table_files",
    "write_sets": "vpr_tf.report.set_files",
}
__all__ = list(_MODULE_OF)
__getattr__, __dir__ = lazy_names(__name__, _MODULE_OF)
