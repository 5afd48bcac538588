"""Stage report: all results -> metrics.json, headline.json, report.html, report.md and static plots."""

from dataclasses import replace

from cgdmer import paths, settings
from cgdmer.files import write_json, write_text
from cgdmer.report import extras, gather, html, markdown, paired, plots
from cgdmer.report.illustrations import illustrate
from cgdmer.report.key_numbers import key_numbers


def report(*, report: settings.Report, matrix: settings.Matrix) -> None:
    """Write the metrics, the benchmark page and its plots; DataError if no encoder has been probed yet."""
    findings = gather.gather(matrix)
    metrics = gather.metrics(findings)
    metrics = replace(metrics, differences=paired.compare_all(findings.probes, metrics))
    write_json(paths.METRICS, metrics.to_json())
    write_json(paths.HEADLINE, key_numbers(metrics))
    fraction = html.nearest(metrics, report.fraction)
    for name, content in plots.draw(findings, metrics, fraction).items():
        write_text(paths.REPORTS / "plots" / name, content)
    extra = extras.measure(findings, metrics, (fraction, metrics.fractions()[-1]), report)
    write_text(paths.REPORT_MD, markdown.write(findings, metrics, report, extra))
    write_text(paths.REPORT_HTML, html.render(findings, metrics, illustrate(findings, report), report, extra))
