"""Run `uv run poe reference`."""

import argparse
import sys

import tasks.reference
from tasks.reference import FOLDER, pages


def main(arguments: list[str] | None = None) -> int:
    """Write what changed, or only say what would, and return 1 if something would."""
    style = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(prog="poe reference", description=tasks.reference.__doc__, formatter_class=style)
    parser.add_argument("--check", action="store_true", help="change nothing; end with 1 if a page would change")
    options = parser.parse_args(arguments)
    texts = pages()
    changed = [name for name, text in texts.items() if not _says(name, text)]
    for name in changed:
        print(f"{'would write' if options.check else 'wrote'} docs/reference/{name}")
        if not options.check:
            (FOLDER / name).write_text(texts[name], encoding="utf-8", newline="\n")
    print(f"{len(texts)} pages, {len(changed)} changed")
    return 1 if options.check and changed else 0


def _says(name: str, text: str) -> bool:
    path = FOLDER / name
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
