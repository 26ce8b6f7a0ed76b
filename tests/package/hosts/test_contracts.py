"""Each host of the registry has an adapter that does what the interface says, and each cloud a module that does."""

import ast
import importlib
import inspect
from pathlib import Path
from typing import Protocol, get_type_hints

import pytest

from copier_mlops import hosts, identity
from copier_mlops.hosts.interface import Host
from copier_mlops.hosts.settings import HostSettings
from copier_mlops.identity.federated import Federated
from copier_mlops.identity.interface import Cloud
from tests.project import ANSWERS, registry, replace

METHODS = sorted(name for name, each in vars(Host).items() if inspect.isfunction(each) and not name.startswith("_"))
CLOUDS = registry("clouds")


def modules(package) -> set[str]:
    return {path.stem for path in Path(package.__file__).parent.glob("*.py")}


def parameters(function) -> list[tuple]:
    """Names, kinds, defaults and types of what a function takes, and the type of what it returns."""
    hints = get_type_hints(function)
    found = [(each.name, each.kind, each.default) for each in inspect.signature(function).parameters.values()]
    return [(*each, hints.get(each[0])) for each in found] + [hints.get("return")]


def test_the_interface_is_a_protocol_with_methods():
    assert issubclass(Host, Protocol) and "find_run" in METHODS and len(METHODS) == 17


@pytest.mark.parametrize("name", registry("hosts"))
def test_a_host_has_an_adapter(name):
    adapter = importlib.import_module(f"copier_mlops.hosts.{name}").ADAPTER
    made = adapter(HostSettings.model_construct(), {})
    assert registry("hosts")[name]["name"] == made.name
    for method in METHODS:
        assert parameters(getattr(adapter, method)) == parameters(getattr(Host, method)), method
        assert inspect.getdoc(vars(adapter).get(method) or getattr(adapter, method)), method


@pytest.mark.parametrize("name", CLOUDS)
def test_a_cloud_has_a_module(name):
    cloud = importlib.import_module(f"copier_mlops.identity.{name}")
    assert get_type_hints(Cloud) == {"NAME": str, "LOGIN": str, "Identity": type[Federated]}
    assert (cloud.NAME, type(cloud.LOGIN)) == (CLOUDS[name]["name"], str)
    assert issubclass(cloud.Identity, Federated) and "wanted_audience" in vars(cloud.Identity)
    own = set(cloud.Identity.model_fields) - set(Federated.model_fields)
    assert own == CLOUDS[name]["values"].keys()
    _, expected, *others = parameters(Cloud.variables)
    said, *rest = parameters(cloud.variables)
    assert (said[:-1], said[-1], rest) == (expected[:-1], cloud.Identity, others)


def test_adapters_are_found_only_by_their_names():
    assert registry("hosts").keys() <= modules(hosts)
    assert CLOUDS.keys() <= modules(identity)
    for package, names in ((hosts, registry("hosts")), (identity, CLOUDS)):
        for path in Path(package.__file__).parent.glob("*.py"):
            if path.stem not in names and not path.stem.endswith("_settings"):
                imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
                found = {(node.module or "").rpartition(".")[2] for node in imports}
                assert not found & set(names), f"{path.name} imports an adapter"


@pytest.mark.parametrize("host", ["github"], indirect=True)
def test_an_answer_that_names_no_host_is_said(place):
    answers = place.tree / ANSWERS
    before = answers.read_text(encoding="utf-8")
    replace(answers, "git_host: github", "git_host: sourcehut")
    printed = place.run("host-setup", "--plan", code=1)
    answers.write_text(before, encoding="utf-8")
    assert "names 'sourcehut' as git_host" in printed and "fix: uvx copier update --data git_host=github" in printed
