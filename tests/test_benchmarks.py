"""What contenders of the benchmarks measure of themselves, with the floor beside them and without."""

import json

import numpy as np
import pytest
from benchmarks.measure import Answer, compete


@pytest.mark.parametrize("compiles", [False, True])
def test_a_peer_without_a_floor_beside_it_is_measured_too(tmp_path, monkeypatch, compiles):
    image, job, found = tmp_path / "labels.npy", tmp_path / "job.json", tmp_path / "found.json"
    np.save(image, np.zeros((4, 4, 4), np.uint8))
    job.write_text(json.dumps({"image": str(image), "repeat": 2, "budget": 60.0}))
    monkeypatch.setattr("sys.argv", ["contender", str(job), str(found)])
    compete(lambda *_: None, lambda _: Answer(np.eye(3), [1, 1, 1], converged=True), compiles=compiles)
    measured = json.loads(found.read_text())
    assert measured["floor_ratios"] == []
    assert measured["iterations"] == [1, 1, 1]
    assert len(measured["all_seconds"]) == 2
