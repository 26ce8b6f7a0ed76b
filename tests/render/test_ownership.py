"""Whose each rendered file is can be told, at every level and for every host: by its header, or by a list."""

import itertools

from tasks.reference.files import BARE
from tests.project import files, matches, registry, team_files

HEADER = b"Managed by the template"
YOURS = matches(itertools.chain.from_iterable(team_files()))


def has_header(content: bytes) -> bool:
    """Whether the first lines say that the template manages the file."""
    return HEADER in b" ".join(content.splitlines()[:10])


def test_every_file_is_the_templates_or_the_teams_and_says_so(project):
    contents = files(project)
    yours = set(YOURS.match_files(contents))
    headed = {path for path, content in contents.items() if has_header(content)}
    assert not (headed & yours or headed & BARE.keys() or yours & BARE.keys())
    assert contents.keys() - headed - yours == BARE.keys()


def test_what_is_the_teams_says_nothing_that_moves(render):
    """An update never rewrites it: a host, a data remote or a tracking server that it named would be the old one."""
    answers = {"maturity_level": 4, "cloud": "gcp"}
    moves = [{"git_host": host} for host in registry("hosts")]
    moves += [{"data_remote": each["example"]} for each in registry("remotes").values()]
    moves += [{"tracking_uri": each["example"]} for each in registry("trackers").values()]
    first = files(render(**answers))
    for move in moves:
        contents = files(render(**answers, **move))
        of_host = matches(pattern for host in registry("hosts").values() for pattern in host["paths"])
        yours = set(YOURS.match_files(contents)) - set(of_host.match_files(contents))
        assert {path: move for path in yours if contents[path] != first[path]} == {}
        assert len(yours) > 30
