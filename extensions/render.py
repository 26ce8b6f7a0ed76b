"""Write the files of template/ that come from registries: flows and work items of each git host, and environments.

uv run poe render-flows          write what changed
uv run poe render-flows --check  list what would change, and exit with 1 if anything would
"""

import argparse
import importlib
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from extensions.hosts import variants
from extensions.hosts.flows import EXTENSIONS, Answers, load

TEMPLATE = EXTENSIONS.parent / "template"
FIRST_RELEASE = 3
# A placeholder in an environment's files: ‹name› is the `name` of environments.yml.
FACT = re.compile("‹([a-z]+)›")


def generated() -> dict[str, str]:
    """Return every file that this module writes, by its path in template/."""
    hosts = {path: text for host in load("hosts") for path, text in host_files(host).items()}
    return hosts | environment_files()


def host_files(host: str) -> dict[str, str]:
    """Return a git host's part of the template; a file that is the same for all answers has no suffix."""
    files = importlib.import_module(f"extensions.hosts.{host}").files
    texts: dict[str, dict[Answers, str]] = defaultdict(dict)
    for answers in variants.all_answers():
        for path, text in files(answers).items():
            texts[path][answers] = text
    found = {}
    for path, each in texts.items():
        is_verbatim = variants.is_verbatim(each)
        text = next(iter(each.values())) if is_verbatim else variants.template(each)
        found[f"{{{{ on_{host} }}}}/{path}{'' if is_verbatim else '.jinja'}"] = text
    return found


def environment_files() -> dict[str, str]:
    """Return the files of each environment: `settings` from level 2 on, the others from level 3 on."""
    found = {}
    for source in sorted((EXTENSIONS / "environments").glob("*.yaml.jinja")):
        level = "" if source.name.startswith("settings") else f"{{{{ from_level_{FIRST_RELEASE} }}}}/"
        text = source.read_text(encoding="utf-8")
        for each in load("environments"):
            path = f"{level}operation/configuration/environment_{each['name']}/{source.name}"
            found[path] = _filled(text, each)
    return found


def _filled(text: str, facts: dict[str, Any]) -> str:
    return FACT.sub(lambda fact: str(facts[fact[1]]), text)


def stale(files: dict[str, str]) -> list[Path]:
    """Return the files in the hosts' folders of template/ that no renderer writes any more."""
    there = [path for path in TEMPLATE.glob("{{ on_*/**/*") if path.is_file()]
    return [path for path in there if path.relative_to(TEMPLATE).as_posix() not in files]


def main(arguments: list[str] | None = None) -> int:
    """Write the files that changed, or with --check list them and return 1 if there are any."""
    style = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(prog="poe render-flows", description=__doc__, formatter_class=style)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a file would change")
    options = parser.parse_args(arguments)
    files = generated()
    old = stale(files)
    changed = [path for path, text in files.items() if not _says(TEMPLATE / path, text)]
    for left in old:
        print(f"{'would delete' if options.check else 'deleted'} {left.relative_to(TEMPLATE).as_posix()}")
    for path in changed:
        print(f"{'would write' if options.check else 'wrote'} {path}")
    if options.check:
        return 1 if changed or old else 0
    for left in old:
        left.unlink()
    for path in changed:
        (TEMPLATE / path).parent.mkdir(parents=True, exist_ok=True)
        (TEMPLATE / path).write_text(files[path], encoding="utf-8", newline="\n")
    print(f"{len(files)} files, {len(changed)} written, {len(old)} deleted")
    return 0


def _says(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


if __name__ == "__main__":
    sys.exit(main())
