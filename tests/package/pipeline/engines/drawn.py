"""Pipelines of any shape, for what an engine writes."""

from pathlib import Path

from hypothesis import strategies as st

from copier_mlops.pipeline import dag
from copier_mlops.pipeline.dag import Node, Resources
from copier_mlops.pipeline.plan import Plan

# Names that `dvc.yaml` allows, items of a matrix among them; some are hostile to a shell or a template.
NAMES = st.one_of(
    st.from_regex(r"[a-zA-Z][\w-]{0,12}", fullmatch=True),
    st.builds("{}@{}".format, st.sampled_from(["train", "fit"]), st.from_regex(r"[\w.-]{1,8}", fullmatch=True)),
    st.sampled_from(["größe", "x@$(touch hacked)", "y@`id`", "z@'", 'w@"', "v@{{ run }}", "u@%a", "t@a b", "s@\\n"]),
)
RESOURCES = st.builds(
    Resources,
    cpu=st.sampled_from([None, 0.5, 2]),
    memory=st.sampled_from([None, "512Mi", "4Gi"]),
    shared_memory=st.sampled_from([None, "2Gi"]),
    gpu=st.integers(0, 2),
    timeout=st.sampled_from([None, "30s", "90m", "2h"]),
    retries=st.integers(0, 2),
    partition=st.sampled_from([None, "gpu"]),
)


@st.composite
def plans(draw: st.DrawFn, folder: Path = Path("/srv/credit")) -> Plan:
    """Draw a plan whose stages need any of those before them."""
    names = draw(st.lists(NAMES, min_size=1, max_size=9, unique_by=dag.slug))
    nodes: list[Node] = []
    for name in names:
        needs = draw(st.sets(st.sampled_from([node.name for node in nodes]), max_size=3)) if nodes else set()
        nodes.append(Node(name, dag.slug(name), tuple(sorted(needs)), draw(RESOURCES)))
    return Plan("credit", folder, "nightly-7", "c" * 40, tuple(nodes))
