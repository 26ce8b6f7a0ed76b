"""Read the settings classes of a module as text: nothing of the project runs."""

import ast

from copier_mlops.lint.schema import Field, Schema, keywords

BASES = {"BaseSettings", "FileSettings"}
DEFAULTS = ("default", "default_factory")


def read_schema(sources: list[bytes], module: bytes) -> Schema | None:
    """The schema of the settings class of a module; None where it has none. `sources` are modules that it imports from.

    Raises:
        SyntaxError: A module is no Python.
    """
    trees = [ast.parse(source) for source in sources]
    own = ast.parse(module)
    classes, strict, names = {}, set(), {}
    for tree in [*trees, own]:
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
                inherited = {key: value for base in bases for key, value in classes.get(base, {}).items()}
                classes[node.name] = inherited | _fields(node)
                if _forbids(node) or bases & strict:
                    strict.add(node.name)
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                names[node.targets[0].id] = node.value
    roots = [
        node.name
        for node in own.body
        if isinstance(node, ast.ClassDef) and {b.id for b in node.bases if isinstance(b, ast.Name)} & BASES
    ]
    filled = [name for name in roots if classes[name]]
    return Schema(classes, strict, names, filled[-1], _given(own, filled[-1])) if filled else None


def _fields(node: ast.ClassDef) -> dict[str, Field]:
    found = {}
    for each in node.body:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            default = each.value
            limits = keywords(default) if isinstance(default, ast.Call) else {}
            is_set = default is not None and (not isinstance(default, ast.Call) or _has_default(default))
            found[each.target.id] = Field(each.annotation, not is_set and not _default_inside(each.annotation), limits)
    return found


def _has_default(call: ast.Call) -> bool:
    first = call.args[0] if call.args else None
    is_given = first is not None and not (isinstance(first, ast.Constant) and first.value is ...)
    return is_given or any(each.arg in DEFAULTS for each in call.keywords)


def _default_inside(annotation: ast.expr) -> bool:
    """Whether `Annotated[…, Field(default=…)]` gives a default."""
    calls = [node for node in ast.walk(annotation) if isinstance(node, ast.Call)]
    return any(each.arg in DEFAULTS for call in calls for each in call.keywords)


def _forbids(node: ast.ClassDef) -> bool:
    """Whether a class refuses keys that it does not know."""
    calls = [each.value for each in node.body if isinstance(each, ast.Assign) and isinstance(each.value, ast.Call)]
    return any(keywords(call).get("extra") == "forbid" for call in calls)


def _given(tree: ast.Module, name: str) -> set[str]:
    """The values that code gives beside the file: the keywords of `Settings.read(path, environment=…)`."""
    found = set()
    for node in ast.walk(tree):
        is_read = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "read"
        if is_read and isinstance(node.func.value, ast.Name) and node.func.value.id == name:
            found |= {each.arg for each in node.keywords if each.arg}
    return found
