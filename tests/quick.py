"""Copier without what it repeats in each of hundreds of renders and updates; no file comes out differently.

Importing this module does it all. A benchmark of copier itself runs copier in a process of its own.
"""

import copy
import functools
import tempfile
from pathlib import Path

import copier._template
import copier._vcs
import jinja2
import yaml
from copier._main import Worker

_answers_path, _render_text = Worker.answers_relpath.fget, Worker._render_string
_executable_bit = Worker._sync_git_index_executable_bit
_clone, _load_config = copier._template.clone, copier._template.load_template_config
_compile, _safe_load = jinja2.Environment.compile, yaml.safe_load
_compiled: dict[tuple, object] = {}
_clones = tempfile.TemporaryDirectory(prefix="clones-", ignore_cleanup_errors=True)
_cloned: dict[tuple[str, str], str] = {}
_loaded: dict[tuple[Path, str], dict] = {}
_parse = functools.cache(_safe_load)


def compile_once(environment: jinja2.Environment, source: str, *names: object, **options: object) -> object:
    """Each render compiles the same texts in an environment of its own."""
    syntax = (environment.trim_blocks, environment.lstrip_blocks, environment.keep_trailing_newline)
    key = (source, names[:1], options.get("name"), syntax)
    if key in _compiled:
        environment.preprocess(source)  # copier's loops over file names start anew with each text
    else:
        _compiled[key] = _compile(environment, source, *names, **options)
    return _compiled[key]


def parse_once(text: object) -> object:
    """Each render parses the same registries; everyone who asks gets a copy."""
    return copy.deepcopy(_parse(text)) if isinstance(text, str) else _safe_load(text)


def load_once(path: Path, *options: object) -> dict:
    """Each render parses the same interview."""
    key = (path, path.read_text(encoding="utf-8"))
    if key not in _loaded:
        _loaded[key] = _load_config(path, *options)
    return copy.deepcopy(_loaded[key])


def clone_once(url: str, ref: str, location: str) -> str:
    """Each update from a folder clones the same versions, which nothing changes."""
    if ref == "HEAD" or "://" in url:
        return _clone(url, ref, location)
    if (url, ref) not in _cloned:
        _cloned[url, ref] = _clone(url, ref, tempfile.mkdtemp(dir=_clones.name))
    return _cloned[url, ref]


def name_answers_file(worker: Worker) -> Path:
    """For each part of each path, copier asks for the name of the answers file, and renders what holds no tags."""
    path = str(worker.answers_file or worker.template.answers_relpath)
    worker.jinja_env.preprocess(path)  # as above
    return _answers_path(worker) if "{" in path else Path(path)


def render_tags(worker: Worker, text: object, *context: object, **named: object) -> str:
    """Most parts of paths hold no tags; for each of them, copier gathers all that a tag could name."""
    if not isinstance(text, str) or "{" in text or not text.isprintable():
        return _render_text(worker, text, *context, **named)
    worker.jinja_env.preprocess(text)  # as above
    return text


def ask_git_where_there_is_git(worker: Worker, *arguments: object) -> None:
    """Copier asks git about every file that it writes, in folders without git as well."""
    if (worker.dst_path / ".git").exists():
        _executable_bit(worker, *arguments)


def is_no_bundle(_: Path) -> bool:
    """To find out whether a plain folder is a bundle, copier makes a repository; no template here is one."""
    return False


jinja2.Environment.compile = compile_once
yaml.safe_load = parse_once
copier._template.load_template_config = load_once
copier._template.clone = clone_once
copier._vcs.is_git_bundle = is_no_bundle
Worker.answers_relpath = property(name_answers_file)
Worker._render_string = render_tags
Worker._sync_git_index_executable_bit = ask_git_where_there_is_git
