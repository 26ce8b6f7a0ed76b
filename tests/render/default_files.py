"""Write the file list of the default project: `uv run python -m tests.render.default_files`."""

import tempfile
from pathlib import Path

from tests.project import copy_project, copy_template, files

LIST = Path(__file__).with_name("default_files.txt")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        template = copy_template(Path(folder, "template"))
        names = files(copy_project(template, Path(folder, "project")))
    LIST.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    print(f"{LIST.name}: {len(names)} files")


if __name__ == "__main__":
    main()
