"""From what a file says for each answer to one template: lines that only some answers have get a condition."""

import re
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from itertools import product
from typing import Any

from extensions.hosts.flows import Answers, load

# A renderer writes ‹heavy_runner› for the answer of that name: braces could be an expression of the git host.
ANSWER = re.compile("‹([^›]+)›")
# A line with ‹each of data_secrets› is there for each name in the answer.
EACH = re.compile("‹each of ([^›]+)›")
SAID = '" ~ name ~ "'
HOST_EXPRESSION = re.compile(r"\$\{\{.*\}\}")

# Computed answers of copier.yml, in order of preference.
CONDITIONS: dict[str, Callable[[Answers], bool]] = {
    "from_level_2": lambda answers: answers.level >= 2,
    "from_level_3": lambda answers: answers.level >= 3,
    "from_level_4": lambda answers: answers.level >= 4,
    "logs_in_to_cloud": lambda answers: answers.cloud,
    "heavy_runner": lambda answers: answers.heavy,
    "installs_from_server": lambda answers: answers.installs_from_server,
    "template_server": lambda answers: answers.template_on_server,
    "tracking_secrets": lambda answers: answers.tracks,
    "data_secrets": lambda answers: answers.keys,
}

AnswerSet = frozenset[Answers]
Line = tuple[str, AnswerSet]
# A line, after its parent lines.
Place = tuple[str, ...]


def all_answers() -> list[Answers]:
    """Return combinations of answers that hold every pair of values; some answers count from level 3 on."""
    both, only_no = (False, True), (False,)
    return [
        Answers(level, cloud, heavy, server, index, tracks, keys)
        for level in (1, 2, 3, 4)
        for cloud, heavy, tracks, keys in product(*[both if level >= 3 else only_no] * 4)
        for server, index in product(both, both)
        # A condition has at most two names, so three answers at once say nothing new.
        if sum((cloud, heavy, server, index, tracks, keys)) not in (3, 4)
    ]


def answer(name: str) -> str:
    """Return the placeholder of an answer, or of an expression."""
    return f"‹{name}›"


def each_of(name: str) -> str:
    """Return the placeholder of each name in a list that is an answer."""
    return answer(f"each of {name}")


def image(host: str) -> str:
    """Return the image of a host's jobs: with the tested uv and the project's Python."""
    return (
        str(load("hosts")[host]["image"])
        .replace("UV", load("tested")["uv"])
        .replace("PYTHON", answer("python_version"))
    )


def template(texts: dict[Answers, str]) -> str:
    """Return one Jinja template for all variants of a file.

    Args:
        texts: The text of the file, for each combination of answers with which a project has it.

    Raises:
        ValueError: No condition of `CONDITIONS` describes the answers that have a line.
    """
    return "".join(f"{_jinja(line)}\n" for line in _conditional(merged(texts), frozenset(texts)))


def _conditional(lines: list[Line], context: AnswerSet) -> Iterator[str]:
    """Yield lines, with conditions around those that not all answers of the context have."""
    blocks = list(_blocks(lines, context))
    while blocks:
        having, block = blocks.pop(0)
        if having == context:
            yield from (text for text, _ in block)
            continue
        name = condition(having, context)
        other = blocks.pop(0)[1] if blocks and blocks[0][0] == context - having else []
        if other and (positive := name.removeprefix("not ")) in CONDITIONS and positive != name:
            name, having, block, other = positive, context - having, other, block
        yield f"{{% if {name} %}}"
        yield from _conditional(block, having)
        if other:
            yield "{% else %}"
            yield from _conditional(other, context - having)
        yield "{% endif %}"


def _blocks(lines: list[Line], context: AnswerSet) -> Iterator[tuple[AnswerSet, list[Line]]]:
    """Yield blocks of lines with the same condition, each as long as possible, with the answers of the condition."""
    start = 0
    while start < len(lines):
        found = having = lines[start][1]
        end = last = start + 1
        while found != context and last < len(lines) and _belongs(lines[last], lines[start], found, context):
            found |= lines[last][1]
            last += 1
            if found != context and _name(found, context):
                having, end = found, last
        if having == context:
            end = next((here for here in range(start, len(lines)) if lines[here][1] != context), len(lines))
        yield having, lines[start:end]
        start = end


def _belongs(line: Line, first: Line, found: AnswerSet, context: AnswerSet) -> bool:
    """Return whether a line can share the condition of a block's first line: it is not less indented."""
    return line[1] != context and (line[1] == found or _indent(line[0]) >= _indent(first[0]))


def condition(having: AnswerSet, context: AnswerSet) -> str:
    """Return a condition that is true for exactly these answers of the context.

    Raises:
        ValueError: There is no such condition.
    """
    if name := _name(having, context):
        return name
    named = list(_named(context))
    for name, those in named:
        for other, others in named:
            if those & others == having:
                return f"{name} and {other}"
            if those | others == having:
                return f"{name} or {other}"
    raise ValueError(f"no condition says: {sorted(having, key=repr)}")


def _name(having: AnswerSet, context: AnswerSet) -> str:
    return next((name for name, those in _named(context) if those == having), "")


def _named(context: AnswerSet) -> Iterator[tuple[str, AnswerSet]]:
    for name, holds in CONDITIONS.items():
        yield name, frozenset(each for each in context if holds(each))
    for name, holds in CONDITIONS.items():
        yield f"not {name}", frozenset(each for each in context if not holds(each))


def merged(texts: dict[Answers, str]) -> list[Line]:
    """Return the lines of all variants in order, each once and with the answers that have it."""
    having: dict[str, set[Answers]] = {}
    for each, text in texts.items():
        having.setdefault(text, set()).add(each)
    lines: list[tuple[Place, AnswerSet]] = []
    for text, those in having.items():
        lines = list(_with(lines, list(placed(text.splitlines())), frozenset(those)))
    return [(place[-1], those) for place, those in lines]


def placed(lines: list[str]) -> Iterator[Place]:
    """Yield each line after its parent lines, which tell the equal lines of two jobs apart.

    An empty line belongs to the lines after it.
    """
    above: list[str] = []
    empty: list[str] = []
    for line in lines:
        if not line:
            empty.append(line)
            continue
        outer = [each for each in above if _indent(each) < _indent(line)]
        yield from ((*outer, line, each) for each in empty)
        yield (*outer, line)
        empty = []
        if not line.lstrip().startswith("#"):
            above = [*outer, line]
    yield from ((*above, each) for each in empty)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _with(lines: list[tuple[Place, AnswerSet]], new: list[Place], having: AnswerSet) -> Iterator[Any]:
    """Yield the lines with those of one more variant among them, which some answers have."""
    matcher = SequenceMatcher(None, [place for place, _ in lines], new, autojunk=False)
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        if kind == "equal":
            yield from ((place, seen | having) for place, seen in lines[start:end])
        else:
            yield from lines[start:end]
            yield from ((place, having) for place in new[new_start:new_end])


def _jinja(line: str) -> str:
    """Return a line of a template: expressions of the host are kept as they are, answers become Jinja expressions."""

    def keep(found: re.Match[str]) -> str:
        # The plus keeps the line break after a tag at the end of a line.
        return f"{{% raw %}}{found[0]}{{% endraw {'+' if found.end() == len(line) else ''}%}}"

    if found := EACH.search(line):
        inside = HOST_EXPRESSION.sub(lambda each: f'{{{{ "{EACH.sub(SAID, each[0])}" }}}}', line)
        return f"{{% for name in {found[1]} %}}\n{EACH.sub('{{ name }}', inside)}\n{{% endfor %}}"
    return ANSWER.sub(lambda found: f"{{{{ {found[1]} }}}}", HOST_EXPRESSION.sub(keep, line))


def is_verbatim(texts: dict[Answers, str]) -> bool:
    """Return whether a file is the same for all answers, so that it needs no Jinja."""
    first, *others = texts.values()
    return not ANSWER.search(first) and all(each == first for each in others)
