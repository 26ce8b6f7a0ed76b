"""A report as text, JSON, a page and a badge."""

import json
from dataclasses import asdict
from html import escape

from copier_mlops.lint.formats import plain
from copier_mlops.maturity.judge import Judged, Report, title
from copier_mlops.registry import registry

PAGE, BADGE = "docs/maturity.md", "docs/media/maturity.svg"
# From red to green; the first is for a repository without a level.
COLOURS = ["#b60205", "#d93f0b", "#e99c0c", "#a4a61d", "#5a9e1b", "#2e8b57"]
LETTER = 6.6  # width of an average letter of 11 pixels, in pixels


def by_level(report: Report) -> dict[str, list[Judged]]:
    """Return the criteria of each level, by its title."""
    levels = range(len(registry("levels")))
    return {title(level): [each for each in report.criteria if each.level == level] for level in levels}


def as_text(report: Report) -> str:
    """Return a text: the level, every criterion with its evidence, and the next step if a criterion is not met."""
    answered = "" if report.answered is None else f" (the answers say {report.answered})"
    lines = [f"{report.title}{answered}"]
    for name, criteria in by_level(report).items():
        lines += ["", name]
        for each in criteria:
            lines.append(f"  {'met' if each.met else 'NOT MET':>7} {each.id}: {each.means}")
            lines.append(f"          {plain(each.evidence)}")
            lines += [f"          -> {each.next}"] if each.next else []
    if report.ahead:
        lines += ["", f"For level {report.ahead[0].level}: {', '.join(each.id for each in report.ahead)}"]
    return "\n".join(lines)


def as_json(report: Report) -> str:
    """Return a JSON document, in which `level` is null if not even level 0 is reached."""
    found = {"level": report.level, "name": report.name, "answered": report.answered}
    return json.dumps({**found, "criteria": [asdict(each) for each in report.criteria]}, indent=2)


def as_page(report: Report, commit: str) -> str:
    """Return a page in Markdown."""
    lines = ["# Maturity", "", f"![{report.title}](media/maturity.svg)", ""]
    lines += [f"{report.title}, as `uv run poe maturity --write` saw it at commit {commit or 'none'}."]
    for name, criteria in by_level(report).items():
        lines += ["", f"## {name}", "", "| | | evidence | next |", "|---|---|---|---|"]
        for each in criteria:
            cells = ["yes" if each.met else "no", each.means, plain(each.evidence), each.next]
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def as_badge(report: Report) -> str:
    """Return a badge in SVG."""
    left, right = "maturity", "none" if report.level is None else f"{report.level} {report.name.lower()}"
    first, second = (round(len(text) * LETTER) + 12 for text in (left, right))
    colour = COLOURS[0 if report.level is None else report.level + 1]
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{first + second}" height="20" role="img">
  <title>{escape(f"{left}: {right}")}</title>
  <rect width="{first}" height="20" fill="#555"/>
  <rect x="{first}" width="{second}" height="20" fill="{colour}"/>
  <g fill="#fff" text-anchor="middle" font-family="Verdana, DejaVu Sans, sans-serif" font-size="11">
    <text x="{first / 2:g}" y="14">{escape(left)}</text>
    <text x="{first + second / 2:g}" y="14">{escape(right)}</text>
  </g>
</svg>
"""
