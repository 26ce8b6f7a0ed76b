"""The formats of a result: text, JSON, SARIF 2.1.0 and annotations of GitHub."""

import json
import os
import sys
from typing import Any
from urllib.parse import quote

from copier_mlops.cli import version
from copier_mlops.lint.check import ERROR, WARNING
from copier_mlops.lint.finding import Finding
from copier_mlops.lint.registry import checks
from copier_mlops.lint.run import Result

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
NAME = "mlops lint"
# Hosts recognise the findings of a tool by this name, so it must stay.
TOOL = "copier-mlops-lint"


def speak_utf8() -> None:
    """Make it possible to print every character of a file name, whatever the encoding of the terminal."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def plain(text: str) -> str:
    """Return a text as one line without control characters; names of files may have them."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


def counted(result: Result) -> dict[str, int]:
    """Return how many errors and warnings there are."""
    found = [result.severity(finding) for finding in result.findings]
    return {ERROR: found.count(ERROR), WARNING: found.count(WARNING)}


def place(finding: Finding) -> str:
    """Return the place of a finding in the form that editors read, for example `params.yaml:3`."""
    return f"{finding.path or '.'}{f':{finding.line}' if finding.line else ''}"


def as_text(result: Result, prefix: str = "") -> str:
    """Return a line for each finding, then the fix of each check."""
    lines = []
    for finding in result.findings:
        mark = "" if result.severity(finding) == ERROR else "warning: "
        fixing = " [--fix]" if finding.fix else ""
        lines.append(f"{plain(place(finding))}: {finding.check} {mark}{plain(finding.message)}{fixing}")
    found = sorted({finding.check for finding in result.findings})
    if found:
        lines.append("")
        lines += [f"{id} {checks()[id].name}: {checks()[id].fix}" for id in found]
        lines.append("")
    count = counted(result)
    fixed = f"{result.fixed} fixed, " if result.fixed else ""
    lines.append(f"{NAME}: {fixed}{_many(count[ERROR], ERROR)}, {_many(count[WARNING], WARNING)}")
    return "\n".join(lines)


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def as_json(result: Result, prefix: str = "") -> str:
    """Return everything as JSON, for programs. Paths are relative to the project."""
    findings = [
        {
            "check": finding.check,
            "name": checks()[finding.check].name,
            "severity": result.severity(finding),
            "path": finding.path or None,
            "line": finding.line or None,
            "message": finding.message,
            "fix": checks()[finding.check].fix,
            "fixes_itself": finding.fix is not None,
        }
        for finding in result.findings
    ]
    about = {"version": version(), "fixed": result.fixed, "counts": counted(result)}
    return json.dumps(about | {"findings": findings}, indent=2)


def as_github(result: Result, prefix: str = "") -> str:
    """Return workflow commands: GitHub shows them beside the changed lines. Paths are relative to the repository."""
    lines = []
    for finding in result.findings:
        where = {"file": f"{prefix}{finding.path}"} if finding.path else {}
        where |= {"line": str(finding.line)} if finding.line else {}
        where["title"] = f"{finding.check} {checks()[finding.check].name}"
        options = ",".join(f"{name}={_escaped(value, ':,')}" for name, value in where.items())
        message = f"{finding.message}. {checks()[finding.check].fix}"
        lines.append(f"::{result.severity(finding)} {options}::{_escaped(message)}")
    return "\n".join(lines)


def _escaped(text: str, more: str = "") -> str:
    """Return a value of a workflow command; characters that would end it are percent-encoded."""
    return "".join(f"%{ord(letter):02X}" if letter in f"%\r\n{more}" else letter for letter in text)


def as_sarif(result: Result, prefix: str = "") -> str:
    """Return SARIF, which hosts and editors show. Paths are relative to the repository."""
    used = sorted({finding.check for finding in result.findings})
    driver = {
        "name": TOOL,
        "version": version(),
        "rules": [_rule(id) for id in used],
    }
    results = []
    for finding in result.findings:
        each = {
            "ruleId": finding.check,
            "ruleIndex": used.index(finding.check),
            "level": result.severity(finding),
            "message": {"text": finding.message},
        }
        # GitHub refuses a result without a place, so findings without a file appear at the answers file.
        path = quote(os.fsencode(f"{prefix}{finding.path or '.copier-answers.yml'}"))
        file = {"uri": path, "uriBaseId": "%SRCROOT%"}
        physical = {"artifactLocation": file, "region": {"startLine": max(finding.line, 1)}}
        results.append(each | {"locations": [{"physicalLocation": physical}]})
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(id: str) -> dict[str, Any]:
    check = checks()[id]
    return {
        "id": id,
        "name": "".join(word.capitalize() for word in check.name.split("-")),
        "shortDescription": {"text": check.finds},
        "fullDescription": {"text": check.why},
        "help": {"text": check.fix},
        "defaultConfiguration": {"level": check.severity},
    }


FORMATS = {"text": as_text, "json": as_json, "sarif": as_sarif, "github": as_github}
