"""What jobs kept, as the zip archives that hosts make of it."""

import io
import zipfile

# The run of the fakes: train and judge went well, release failed.
NUMBER = "99"
COMMIT = "1234567890abcdef1234567890abcdef12345678"
KEPT = {
    "train": {"run.json": '{"run": "r-1"}\n'},
    "judge": {"verdict.json": '{"promoted": true}\n', "plots/größe.csv": "a,b\n"},
}


def zipped(files: dict[str, str], folder: str = "") -> bytes:
    """Return an archive with a folder of files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        if folder:
            archive.mkdir(folder)
        for name, text in files.items():
            archive.writestr(folder + name, text)
    return buffer.getvalue()
