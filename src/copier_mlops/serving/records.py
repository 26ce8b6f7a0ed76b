"""What every door says of a record: the same verdict, in few words."""

# No code of a contract is longer; the service refuses longer texts as well.
MOST_OF_A_CODE = 64


def shown(text: str, most: int) -> str:
    """Return at most so many characters of a text, which every encoding can write."""
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return cut.encode("utf-8", "replace").decode("utf-8")
