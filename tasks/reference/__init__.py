"""Write the pages of docs/reference that are made from registries, settings classes and the interview.

uv run poe reference          write what changed
uv run poe reference --check  only say what would change, and end with 1 if anything would
"""

from tasks.reference.pages import FOLDER, pages

__all__ = ["FOLDER", "pages"]
