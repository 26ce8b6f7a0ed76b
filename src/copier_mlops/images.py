"""Read images whose content is in a record as a text in base64: PNG and JPEG, of a bearable size, whole or refused.

Pillow and numpy are imported when an image is read: only a contract with images needs it.
"""

from __future__ import annotations

import base64
import binascii
import io
from importlib import metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

# Other formats have decoders that few people look at.
FORMATS = ("PNG", "JPEG")
SUFFIXES = (".png", ".jpg", ".jpeg")
# The first characters of each format in base64.
STARTS = ("iVBORw0KGgo", "/9j/")
# Of a file, and of the text that has it.
MOST_BYTES = 10_000_000
MOST_TEXT = 4 * -(-MOST_BYTES // 3)
# A file of some kilobytes can unpack to gigabytes of pixels.
MOST_PIXELS = 16_000_000
THUMBNAIL = 16
EXPECTED = "a PNG or JPEG file in base64"


class ImageError(ValueError):
    """Content that is not an image; the text says what is expected."""


def content(text: str) -> bytes:
    """Return the bytes of a text in base64.

    Raises:
        ImageError: It is too long, or not base64.
    """
    if len(text) > MOST_TEXT:
        raise ImageError(f"a file of at most {MOST_BYTES:,} bytes")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ImageError(EXPECTED) from None


def as_text(found: bytes) -> str:
    """Return bytes as a text in base64."""
    return base64.b64encode(found).decode("ascii")


def opened(found: bytes) -> Image.Image:
    """Return an image of which only the header was read.

    Raises:
        ImageError: It is not PNG or JPEG, or has too many pixels.
        SystemExit: Pillow is not installed.
    """
    image = _opened(found)
    width, height = image.size
    if not width * height:
        raise ImageError(EXPECTED)
    if width * height > MOST_PIXELS:
        raise ImageError(f"an image of at most {MOST_PIXELS:,} pixels")
    return image


def _opened(found: bytes) -> Image.Image:
    require()
    from PIL import Image

    try:
        return Image.open(io.BytesIO(found), formats=FORMATS)
    except Image.DecompressionBombError:
        raise ImageError(f"an image of at most {MOST_PIXELS:,} pixels") from None
    except Exception:  # damaged content fails anywhere inside Pillow, zlib and struct
        raise ImageError(EXPECTED) from None


def rgb(found: bytes) -> Image.Image:
    """Return an image in 8 bits of red, green and blue, turned as a camera noted it, and on white if it is transparent.

    Raises:
        ImageError: It is not an image, is damaged, or too large.
    """
    image = opened(found)
    import numpy as np
    from PIL import Image, ImageOps

    try:
        image.load()
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):  # 16 bits: Pillow would cut all but the darkest off
            image = Image.fromarray((np.asarray(image) // 257).astype("uint8"))
        if "A" in image.getbands() or "transparency" in image.info:
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image.convert("RGBA"))
        return image.convert("RGB")
    except Exception:  # as above
        raise ImageError("a PNG or JPEG file that is whole") from None


def fault(text: str, *, is_whole: bool = True) -> str:
    """Return what is expected of a text, if it is not an image; it is empty otherwise.

    Args:
        text: The content of a file, in base64.
        is_whole: Look at all pixels, and not only at the header.
    """
    try:
        (rgb if is_whole else opened)(content(text))
    except ImageError as error:
        return str(error)
    return ""


def pixels(text: str, size: int) -> Any:
    """Return an image as red, green and blue of size by size pixels, row by row: float64 of shape (3 * size ** 2,).

    Raises:
        ImageError: It is not an image.
    """
    large = rgb(content(text))
    import numpy as np
    from PIL import Image

    small = large.resize((size, size), Image.Resampling.BOX)
    return np.asarray(small, dtype="float64").reshape(-1) / 255


def thumbnail(text: str) -> str:
    """Return an image with at most 16 pixels in each direction, as PNG in base64: what git and the tracker may have.

    Raises:
        ImageError: It is not an image.
    """
    small, stream = rgb(content(text)), io.BytesIO()
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    small.info.clear()
    small.save(stream, "PNG", optimize=True)
    return as_text(stream.getvalue())


def require() -> None:
    """Check that Pillow is installed.

    Raises:
        SystemExit: It is not; the text has the command.
    """
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise SystemExit(f"images: Pillow is not installed\n  fix: {command()}") from None


def command() -> str:
    """Return the command that adds the libraries for images to a project, with the bounds that were tested."""
    needed = [each for each in metadata.requires("copier-mlops") or () if each.partition(";")[2].count("images")]
    return "uv add " + " ".join(f'"{each.partition(";")[0].strip()}"' for each in sorted(needed))
