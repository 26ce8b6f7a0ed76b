"""--fix changes single values of a team's YAML file: every other byte stays, and where that is not sure, all do."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from copier_mlops.lint import kustomize
from copier_mlops.lint.project import Project
from copier_mlops.lint.rewriting import LONGEST, LeftAloneError, with_values
from tests.package.lint.conftest import copy_of, found
from tests.project import run

PATH = "operation/configuration/environment_prod/kustomization.yaml"
OLD, NEW = "../../execution/release/kubernetes", "../../execution/kubernetes"
# What a team makes of its file: its own comments, quotes, indentation, blanks and orders, which no writer would keep.
TEXT = f"""\
# Größe 🚀: it was {OLD} before, says "ours"
kind:   Kustomization
apiVersion: kustomize.config.k8s.io/v1beta1

resources:   # ours and theirs
- 'own/ingress.yaml'   # a comment, it's ours

- "{OLD}/"  # moved: {OLD}
- own/alerts.yaml
nameSuffix: -prod\x20\x20
commonAnnotations: {{owner: "credit", 'since':2025-01-01, off: no, octal: 0755, big: 1_000}}
replicas:
    - {{ name: german-credit, count:   3 }}

    # a comment at the end of a list
patches:
  - target:
      kind: Deployment
    patch: |-
      - op: replace  # inside a text
        path: /spec/template/spec/containers/0/resources/limits/memory
        value: 2Gi
  -   path: own/limits.yaml
images:
- name: sidecar
  newName: >
    registry.example.org/sidecar
  newTag: 1.10
configMapGenerator:
  - name: german-credit
    literals:
      - OPERATION_MAX_RECORDS=1000
# the end
"""


@pytest.fixture
def released(fresh, tmp_path) -> Path:
    """A copy of a project of level 3, to be spoilt."""
    return copy_of(fresh(maturity_level=3), tmp_path / "project")


def moved(text: str) -> str:
    return text.replace(f'- "{OLD}/"', f'- "{NEW}/"')


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + TEXT.encode(),
        TEXT.rstrip("\n").encode(),
        f"%YAML 1.1\n---  # start\n{TEXT}...\n# behind it\n".encode(),
        f"---\n{TEXT}\n\n".encode(),
        TEXT.replace("own/alerts.yaml", "own/alerts.yaml\r").encode(),
    ],
    ids=["as it is", "Windows", "a byte order mark", "no end", "markers", "a start", "two kinds of ends"],
)
def test_only_the_line_that_moved_changes(released, lint, content):
    path = released / PATH
    path.write_bytes(content)
    path.chmod(0o640)
    (finding,) = found(released)
    assert (finding.path, finding.check) == (PATH, "MLO903") and finding.fix
    assert content.splitlines()[finding.line - 1].lstrip(b"\xef\xbb\xbf").startswith(b'- "../../execution/release')
    code, said, _ = lint(released, "--fix")
    assert code == 0 and "1 fixed, 0 errors" in said
    expected = moved(content.decode()).encode()
    assert path.read_bytes() == expected != content
    assert path.stat().st_mode & 0o777 == 0o640
    assert not [each.name for each in path.parent.iterdir() if each.name.startswith(".k")]
    before = path.stat()
    code, said, _ = lint(released, "--fix")
    assert code == 0 and "fixed" not in said
    after = path.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"resources: [{OLD}, own.yaml]", f"resources: [{NEW}, own.yaml]"),
        (f"bases:\n- {OLD}", f"bases:\n- {NEW}"),
        (f"components:\n-   ./{OLD}//", f"components:\n-   ./{NEW}//"),
        (f"resources:\n- {OLD}/service.yaml\n- ./{OLD}", f"resources:\n- {NEW}/service.yaml\n- ./{NEW}"),
        (f"{{'resources': ['{OLD}']}}", f"{{'resources': ['{NEW}']}}"),
    ],
)
def test_each_way_to_name_the_folder_is_one_change(released, lint, line, expected):
    (released / PATH).write_text(f"{line}\n", encoding="utf-8")
    code, said, _ = lint(released, "--fix")
    assert code == 0 and "1 fixed" in said
    assert (released / PATH).read_text(encoding="utf-8") == f"{expected}\n"


def test_an_overlay_of_the_teams_own_is_a_file_of_the_teams(released, lint):
    path = released / "deploy" / "eu" / "kustomization.yml"
    path.parent.mkdir(parents=True)
    path.write_text("resources:\n  - ../../operation/execution/release/kubernetes # ours\n", encoding="utf-8")
    assert lint(released, "--fix")[0] == 0
    assert path.read_text(encoding="utf-8") == "resources:\n  - ../../operation/execution/kubernetes # ours\n"


REFUSED = {
    "anchors": (f"x: &ours a\nresources:\n- {OLD}\n", "has anchors"),
    "aliases": (f"a: &all\n- {OLD}\nresources: *all\n", "has anchors"),
    "a key twice": (f"resources:\n- {OLD}\nkind: a\nkind: b\n", "has a key twice (line 4)"),
    "a key twice, deeper": (f"resources:\n- {OLD}\na:\n- {{b: 1, b: 2}}\n", "has a key twice (line 4)"),
    "several documents": (f"resources:\n- {OLD}\n---\nkind: b\n", "does not hold exactly one document"),
    "broken": (f"resources:\n- {OLD}\n a: [b\n", "is not YAML: "),
    "two values as one": (f"resources: {OLD}: {OLD}\n", "is not YAML: "),
    "tabs": (f"resources:\n\t- {OLD}\n", "is not YAML: "),
    "not UTF-8": (f"resources:\n- {OLD} # Gr\xf6\xdfe\n".encode("latin-1"), "is not UTF-8 (line 2)"),
    "too long": (f"resources:\n- {OLD}\n" + "# ours\n" * (LONGEST // 7), f"has more than {LONGEST} bytes"),
    "too deep": (f"resources:\n- {OLD}\na: " + "[" * 300 + "]" * 300 + "\n", "nests more than 200 levels deep"),
    "an escape": (f'resources:\n- "{OLD}\\u002f"\n', "over several lines or with escapes (line 2)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_cannot_be_changed_without_a_doubt_is_left_alone(released, lint, case):
    text, why = REFUSED[case]
    content = text if isinstance(text, bytes) else text.encode()
    path = released / PATH
    path.write_bytes(content)
    before = path.stat()
    code, said, _ = lint(released, "--fix")
    named = [line for line in said.splitlines() if line.startswith(PATH) and "MLO903" in line]
    assert code == 1 and "fixed" not in said
    assert named and all("--fix leaves this file alone: it " in line and why in line for line in named)
    assert not any(line.endswith("[--fix]") for line in named)
    assert path.read_bytes() == content and path.stat().st_ino == before.st_ino


def test_a_read_only_file_stays(released, lint):
    path = released / PATH
    path.write_text(TEXT, encoding="utf-8")
    path.chmod(0o444)
    code, said, _ = lint(released, "--fix")
    assert code == 1 and "--fix leaves this file alone: it is read-only" in said
    assert path.read_text(encoding="utf-8") == TEXT and path.stat().st_mode & 0o777 == 0o444


def test_a_link_is_named_and_neither_it_nor_what_it_points_to_changes(released, lint, tmp_path):
    outside = tmp_path / "outside.yaml"
    outside.write_text(TEXT, encoding="utf-8")
    (released / PATH).unlink()
    (released / PATH).symlink_to(outside)
    code, said, _ = lint(released, "--fix")
    assert code == 1 and f"{PATH}:8: MLO903" in said and "it is a link, or lies behind one" in said
    assert outside.read_text(encoding="utf-8") == TEXT and (released / PATH).is_symlink()
    way_out = kustomize.way_out(released, released / PATH)
    assert way_out == f"write {NEW} in place of {OLD} in {outside}, to which it is a link"


def test_a_folder_that_is_a_link_is_no_way_out_of_the_project(released, lint, tmp_path):
    folder, outside = (released / PATH).parent, tmp_path / "outside"
    folder.rename(outside)
    folder.symlink_to(outside)
    (outside / "kustomization.yaml").write_text(TEXT, encoding="utf-8")
    code, said, _ = lint(released, "--fix", "--select", "MLO903")
    assert code == 1 and "it is a link, or lies behind one" in said
    assert (outside / "kustomization.yaml").read_text(encoding="utf-8") == TEXT


def test_a_link_that_leads_nowhere_or_in_a_circle_ends_nothing(released, lint):
    for target in ("nowhere.yaml", "kustomization.yaml"):
        (released / PATH).unlink()
        (released / PATH).symlink_to(target)
        assert lint(released, "--fix")[0] == 0


def test_a_file_that_became_a_link_in_between_stays(released, tmp_path):
    outside = tmp_path / "outside.yaml"
    for name in (PATH, "outside"):
        (released / PATH if name == PATH else outside).write_text(TEXT, encoding="utf-8")
    offer = kustomize.offer(Project(released), PATH)
    (released / PATH).unlink()
    (released / PATH).symlink_to(outside)
    assert offer.fix and not offer.fix()
    assert outside.read_text(encoding="utf-8") == TEXT
    (released / PATH).unlink()
    (released / PATH).write_text(f"{TEXT}x: &a b\n", encoding="utf-8")
    assert not offer.fix()
    (released / PATH).unlink()
    assert not offer.fix()


def test_a_folder_that_is_still_there_has_not_moved(released, lint):
    folder = released / "operation/execution/release/kubernetes"
    folder.mkdir(parents=True)
    (folder / "ours.yaml").write_text("kind: Ours\n", encoding="utf-8")
    (released / PATH).write_text(TEXT, encoding="utf-8")
    assert lint(released, "--fix")[0] == 1
    assert (released / PATH).read_text(encoding="utf-8") == TEXT


@pytest.mark.parametrize(
    "text",
    [
        f"configMapGenerator:\n- literals:\n  - A={OLD}\n",
        f"x:\n- {OLD}\n",
        f"resources:\n  a: {OLD}\n",
        f"resources:\n- !ours {OLD}\n",
        f"resources:\n- {OLD}?ref=main\n",
        "resources:\n- operation/execution/release/kubernetes\n",
        f"resources:\n- ../{OLD}\n",
        "patches:\n- patch: |\n    python -m operation.execution.track\n",
    ],
)
def test_what_may_mean_something_else_is_only_named(released, lint, text):
    (released / PATH).write_text(text, encoding="utf-8")
    code, said, _ = lint(released, "--fix")
    assert code == 1 and "MLO903" in said and "[--fix]" not in said
    assert (released / PATH).read_text(encoding="utf-8") == text


def test_what_no_fix_changes_stays_a_finding_beside_what_it_does(released, lint):
    text = f"resources:\n- {OLD}\nconfigMapGenerator:\n- literals:\n  - A={OLD}\n"
    (released / PATH).write_text(text, encoding="utf-8")
    code, said, _ = lint(released)
    first, second = (line for line in said.splitlines() if line.startswith(PATH))
    assert code == 1 and first.endswith("[--fix]") and not second.endswith("[--fix]")
    assert lint(released, "--fix")[0] == 1
    assert (released / PATH).read_text(encoding="utf-8") == text.replace(f"- {OLD}", f"- {NEW}")


def test_the_command_that_setup_and_deploy_name_does_it(released):
    (released / PATH).write_text(TEXT, encoding="utf-8")
    command = kustomize.way_out(released, released / PATH)
    assert command == "uv run poe lint-template --fix"
    assert "1 fixed, 0 errors" in run(released, *command.removeprefix("uv run ").split())
    assert (released / PATH).read_text(encoding="utf-8") == moved(TEXT)


def test_other_files_name_it_as_they_like(released, lint):
    path = released / Path(PATH).with_name("ours.yaml")
    path.write_text(f"resources:\n- {OLD}\n", encoding="utf-8")
    assert lint(released, "--fix")[0] == 1
    assert path.read_text(encoding="utf-8") == f"resources:\n- {OLD}\n"


@pytest.mark.parametrize("tail", ["[" + "[]," * 9000 + "]", "'b" + " " * 27000 + "c'", "\n" + " k:\n" * 7000])
def test_a_text_that_is_made_to_be_slow_is_moved_or_left_alone(released, lint, tail):
    text = f"resources:\n- {OLD}\na: {tail}\n"
    (released / PATH).write_text(text, encoding="utf-8")
    lint(released, "--fix", "--select", "MLO903")
    assert (released / PATH).read_text(encoding="utf-8") in (text, text.replace(OLD, NEW))


@pytest.mark.parametrize("value", ["a: b", "a #b", "- a", "true", "1.0", "", " a", "'", "a\nb", "*a", "\x00"])
def test_a_value_that_would_read_as_another_is_not_written(value):
    with pytest.raises(LeftAloneError):
        with_values(b"x: ours\n", lambda place, before: value)


def test_a_value_goes_where_its_place_is():
    asked = []

    def choose(place, value):
        asked.append(place)
        return "theirs" if place == ("a", 1, "b") else value

    content = b'a: [ours, {b: ours, c: ours}] # ours\nd: 1\ne: "ours"\n1: ours\n'
    assert with_values(content, choose) == content.replace(b"{b: ours", b"{b: theirs")
    assert asked == [("a", 0), ("a", 1, "b"), ("a", 1, "c"), ("e",), ("1",)]
    with pytest.raises(LeftAloneError, match="a key that is not text"):
        with_values(content, lambda place, value: "theirs" if place == ("1",) else value)


NAME = some.text(some.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=6)
COMMENT = some.text(some.characters(codec="utf-8", categories=["L", "P", "Zs"]), max_size=12)
QUOTES = some.sampled_from(["", "'", '"'])
ITEM = some.tuples(NAME, QUOTES, some.integers(1, 4), COMMENT)


@settings(max_examples=100)
@given(items=some.lists(ITEM, max_size=5), at=some.integers(0, 5), indent=some.integers(0, 5), quote=QUOTES)
def test_whatever_a_list_holds_only_the_value_changes(items, at, indent, quote):
    rows = [f"-{' ' * gap}{mark}own-{name}.yaml{mark} # {said}" for name, mark, gap, said in items]
    rows.insert(at, f"-  {quote}OLD{quote} # OLD")
    text = "resources:\n" + "".join(f"{' ' * indent}{row}\n" for row in rows) + "kind:   b\n"
    after = with_values(text.encode(), lambda _, value: "NEW" if value == "OLD" else value).decode()
    assert after == text.replace(f"-  {quote}OLD{quote} #", f"-  {quote}NEW{quote} #")
