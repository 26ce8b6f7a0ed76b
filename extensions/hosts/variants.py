"""From what a file says for each answer to one template: lines that only some answers have get a condition."""

import re
from collections.abc import Callable, Iterable, Iterator
from difflib import SequenceMatcher
from itertools import groupby

from extensions.flows import Answers

# A renderer writes ‹heavy_runner› for the answer of that name: braces could be an expression of the git host.
ANSWER = re.compile("‹([^›]+)›")
HOST_EXPRESSION = re.compile(r"\$\{\{.*\}\}")

# Names of copier.yml, in the order in which they are preferred.
CONDITIONS: dict[str, Callable[[Answers], bool]] = {
    "from_level_2": lambda answers: answers.level >= 2,
    "from_level_3": lambda answers: answers.level >= 3,
    "from_level_4": lambda answers: answers.level >= 4,
    "logs_in": lambda answers: answers.cloud,
    "heavy_runner": lambda answers: answers.heavy,
}

Line = tuple[str, frozenset[Answers]]


def all_answers() -> list[Answers]:
    """Return every combination of answers that changes a file: the cloud and the runner are asked from level 3 on."""
    release = [Answers(level, cloud, heavy) for level in (3, 4) for cloud in (False, True) for heavy in (False, True)]
    return [Answers(1), Answers(2), *release]


def answer(name: str) -> str:
    """Return what stands in a file for an answer, or for an expression of them."""
    return f"‹{name}›"


def template(texts: dict[Answers, str]) -> str:
    """Return one Jinja template for all variants of a file.

    Args:
        texts: The file's text for each of the answers with which a project has the file.

    Raises:
        ValueError: Lines are there for answers that no condition of `CONDITIONS` describes.
    """
    groups = [(who, [text for text, _ in lines]) for who, lines in groupby(merged(texts), key=lambda line: line[1])]
    everybody, found = frozenset(texts), []
    for position, (who, lines) in enumerate(groups):
        before = groups[position - 1][0] if position else everybody
        after = groups[position + 1][0] if position + 1 < len(groups) else everybody
        if who == everybody:
            found += lines
            continue
        is_else = not before & who and before | who == everybody and before != everybody
        has_else = not after & who and after | who == everybody and not is_else
        found += ["{% else %}" if is_else else f"{{% if {condition(who, everybody)} %}}", *lines]
        found += [] if has_else else ["{% endif %}"]
    return "".join(f"{_jinja(line)}\n" for line in found)


def condition(who: frozenset[Answers], everybody: frozenset[Answers]) -> str:
    """Return the shortest condition that holds for these answers and for none of the others.

    Raises:
        ValueError: There is none.
    """
    named = list(_named(everybody))
    for name, those in named:
        if those == who:
            return name
    for name, those in named:
        for other, others in named:
            if those & others == who:
                return f"{name} and {other}"
    raise ValueError(f"no condition says: {sorted(who, key=repr)}")


def _named(everybody: frozenset[Answers]) -> Iterator[tuple[str, frozenset[Answers]]]:
    for name, holds in CONDITIONS.items():
        yield name, frozenset(each for each in everybody if holds(each))
    for name, holds in CONDITIONS.items():
        yield f"not {name}", frozenset(each for each in everybody if not holds(each))


def merged(texts: dict[Answers, str]) -> list[Line]:
    """Return every line of every variant once, in order, each with the answers that have it."""
    lines: list[Line] = []
    for each, text in texts.items():
        lines = list(_with(lines, text.splitlines(), each))
    return lines


def _with(lines: list[Line], new: list[str], who: Answers) -> Iterator[Line]:
    """Yield the lines with those of one more variant among them."""
    matcher = SequenceMatcher(None, [text for text, _ in lines], new, autojunk=False)
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        if kind == "equal":
            yield from ((text, seen | {who}) for text, seen in lines[start:end])
        else:
            yield from lines[start:end]
            yield from ((text, frozenset({who})) for text in new[new_start:new_end])


def _jinja(line: str) -> str:
    """Return a line of a template: expressions of the host are kept as they are, answers are asked for."""
    kept = HOST_EXPRESSION.sub(lambda found: f"{{% raw %}}{found[0]}{{% endraw {'+' if found.end() == len(line) else ''}%}}", line)
    return ANSWER.sub(lambda found: f"{{{{ {found[1]} }}}}", kept)


def is_verbatim(text: str) -> bool:
    """Return whether a template says the same for all answers, so that the file needs no Jinja."""
    return not any(mark in text for mark in ("{%", "{{ ", "{#"))


__all__: Iterable[str] = ("all_answers", "answer", "is_verbatim", "template")
