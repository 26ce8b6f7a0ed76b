"""The picture of the pipeline in the report."""

import re

import pytest

from copier_mlops.pipeline import record
from copier_mlops.pipeline.record import StageRecord
from copier_mlops.reporting import stages
from tests.package.pipeline.conftest import Pipeline, start, step


@pytest.fixture
def pipeline(tmp_path) -> Pipeline:
    return start(tmp_path / "repository")


def test_each_stage_is_a_box_with_its_last_time_and_machine(pipeline):
    pipeline.write({"first": step("first"), "next": step("next", "first.txt"), "<b>": step("other", "first.txt")})
    ran = {"first": StageRecord(61, "node7", "2026-11-30T18:30:12+00:00")}
    record.add(pipeline.path, ran | {"next": StageRecord(2, "vm", "2026-11-30T18:30:14+00:00", failed=True)})
    found = stages.draw(pipeline.path)
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", found["svg"])
    assert {"first", "1 min 1 s", "node7", "next", "failed after 2.0 s", "vm", "&lt;b&gt;"} <= set(texts)
    assert found["text"].startswith("first: 1 min 1 s on node7; ")
    assert "&lt;b&gt;: no record" not in found["text"] and "<b>: no record" in found["text"]
    assert stages.draw(pipeline.path) == found


def test_what_cannot_be_drawn_is_left_out(pipeline):
    assert stages.draw(pipeline.path) == {}
    pipeline.write({f"stage{number}": step(f"s{number}") for number in range(stages.MOST + 1)})
    assert stages.draw(pipeline.path) == {"svg": "", "text": "61 stages, too many to draw."}
    (pipeline.path / "dvc.yaml").write_text("stages: 1", encoding="utf-8")
    assert stages.draw(pipeline.path) == {}
