"""Say what is wrong on this machine, without changing anything: the checks of `poe setup`. Managed by the template.

Ends with 1 where something is wrong.
"""

import argparse
import json

from operation.execution.setup import CHECKS


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="poe doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args(arguments)
    found = [(check.name, check.look()) for check in CHECKS]
    ok = all(finding.ok for _, finding in found)
    if options.json:
        print(json.dumps({"ok": ok, "checks": [{"name": name, **vars(finding)} for name, finding in found]}, indent=2))
    else:
        for name, finding in found:
            print(f"{'ok' if finding.ok else 'WRONG':>7} {name}: {finding.text}")
            if not finding.ok:
                print(f"        -> {finding.advice}")
    raise SystemExit(0 if ok else 1)


if __name__ == "__main__":
    main()
