"""Write YAML as a person would, with ruamel.yaml, for the renderers of all hosts."""

import functools
import io
import pickle
import re
from itertools import accumulate
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, FoldedScalarString

YOURS = "‹yours›"
# This place is not at the end of a job: projects of older versions may have steps of their own there, and an update
# would conflict with them.
PLACE = re.compile(rf"^( *)- {YOURS}$", re.MULTILINE)
PLACE_LINES = r"\1# Yours: steps of your own, which no update meets.\n\1# End of yours."


def text_of(*sections: dict[str, Any]) -> str:
    """Return a YAML document of sections, with an empty line between them."""
    return "\n".join(_dumped(each) for each in sections)


def text_below(key: str, *sections: dict[str, Any], as_list: bool = False) -> str:
    """Return sections below one key, as entries of a mapping or a list, with an empty line between them."""
    bodies = [_dumped({key: [each] if as_list else each}).partition("\n")[2] for each in sections]
    return f"{key}:\n" + "\n".join(bodies)


def _dumped(section: dict[str, Any]) -> str:
    """Return a section as YAML. Most are the same for many answers, and a pickle shows that in a tenth of the time."""
    return _written(pickle.dumps(section))


@functools.cache
def _written(section: bytes) -> str:
    writer = YAML()
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.width = 10_000
    stream = io.StringIO()
    writer.dump(pickle.loads(section), stream)  # noqa: S301 (pickled above)
    return PLACE.sub(PLACE_LINES, stream.getvalue())


def mapping(**entries: Any) -> CommentedMap:
    """Return a mapping without the entries that are None; an underscore in a name stands for a dash."""
    return CommentedMap((key.replace("_", "-"), value) for key, value in entries.items() if value is not None)


def inline(items: list[Any] | dict[str, Any]) -> CommentedSeq | CommentedMap:
    """Return a list or a mapping that is written on one line, as `[a, b]`."""
    found = CommentedSeq(items) if isinstance(items, list) else CommentedMap(items)
    found.fa.set_flow_style()
    return found


def quoted(text: str) -> DoubleQuotedScalarString:
    """Return a text that is written in double quotes."""
    found: DoubleQuotedScalarString = DoubleQuotedScalarString(text)
    return found


def folded(*lines: str) -> FoldedScalarString:
    """Return lines that YAML reads as one line, written below `>-`."""
    text: FoldedScalarString = FoldedScalarString(" ".join(lines))
    ends = accumulate(len(line) + 1 for line in lines[:-1])
    text.fold_pos = [end - 1 for end in ends]  # type: ignore[attr-defined]  # what the emitter reads
    return text


def before(entries: CommentedMap | CommentedSeq, key: str | int, comment: str, indent: int) -> None:
    """Write a comment above an entry, `indent` spaces from the left."""
    entries.yaml_set_comment_before_after_key(key, before=comment, indent=indent)


def after(entries: CommentedMap, key: str, comment: str) -> None:
    """Write a comment after an entry, on the same line."""
    entries.yaml_add_eol_comment(comment, key, column=0)
