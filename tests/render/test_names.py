"""Names that mean something elsewhere survive in every syntax that they are written to."""

import ast
import tomllib

import pytest
import yaml

from tests.project import answers_of, files, registry

NAMES = [
    "Credit Risk",
    "Größe der Kredite",
    "Çevre & Ñandú",
    "'single' credit",
    '"double" credit',
    "credit \\ risk \\n",
    'it\'s "all" \\quoted\\',
    "{{ credit }} risk",
    "{% raw %} credit",
    "{# credit #}",
    "#credit",
    "credit # risk",
    "credit: risk",
    "- credit",
    "--credit",
    "credit 🚀",
    "${credit}",
    "$credit `risk`",
    "<credit> & |risk|",
    "credit, [risk]: {yes}",
    "yes credit",
    "! credit @ risk %",
    "credit '''\"\"\" risk",
    " credit ",
    ("credit " * 20)[:99] + "x",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_survives_verbatim(render, name):
    project = render(project_name=name, description=name, author_name=name)
    contents = files(project)
    package = tomllib.loads(contents["pyproject.toml"].decode())["project"]
    assert package["description"] == name
    assert package["authors"] == [{"name": name}]
    for environment in [each["name"] for each in registry("environments")]:
        settings = yaml.safe_load(contents[f"operation/configuration/environment_{environment}/settings.yaml"])
        assert settings["project_name"] == name
    answers = answers_of(project)
    assert [answers[key] for key in ("project_name", "description", "author_name")] == [name] * 3
    assert contents["README.md"].decode().splitlines()[0] == f"# {name}"
    assert name in contents["LICENSE"].decode()
    for path, content in contents.items():
        if path.endswith(".py"):
            ast.parse(content, path)
        elif path.endswith((".yaml", ".yml")):
            yaml.safe_load(content)
        elif path.endswith(".toml"):
            tomllib.loads(content.decode())


@pytest.mark.parametrize("name", ["信用リスク", "!?", "Lambda", "7"])
def test_any_name_will_do_if_the_package_has_a_name_of_its_own(render, name):
    project = render(project_name=name, package_name="credit_risk")
    assert answers_of(project)["project_name"] == name
    assert (project / "src" / "credit_risk" / "__init__.py").is_file()


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("German Credit", "german_credit"),
        ("Größe", "groesse"),
        ("Çevre Ñandú", "cevre_nandu"),
        ("--Credit--Risk--", "credit_risk"),
        ("Credit 2.0", "credit_2_0"),
        ("3D Scan", "my_3d_scan"),
        ("Кредитный риск", "kreditnyy_risk"),
        ("Ризик щодня", "rizik_shchodnya"),
        ("Πιστωτικός κίνδυνος", "pistotikos_kindynos"),
        ("c" * 100, "c" * 40),
        ("Credit " * 14, "credit_credit_credit_credit_credit_credit"[:40]),
    ],
)
def test_the_package_name_comes_from_the_projects(render, name, package):
    project = render(project_name=name)
    assert answers_of(project)["package_name"] == package
    assert (project / "src" / package / "__init__.py").is_file()
