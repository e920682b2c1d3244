"""Stiffness and expansion over temperature: as one temperature at a time, at a fraction of the work.

Tolerances: both solutions stop at a relative error of 1e-9 of the energy; sums over tables round.
"""

import csv
import io
import json

import numpy as np
import pytest

import scalebridge as sb
from scalebridge.cells.thermoelastic_table import ThermoelasticTable, inwards

PHASES = {
    0: {
        "young": [(250.0, "4.2 GPa"), (350.0, "3.0 GPa"), (450.0, "0.6 GPa")],
        "poisson": [(250.0, 0.35), (450.0, 0.42)],
        "expansion": [(250.0, 45e-6), (450.0, 120e-6)],
    },
    1: {"young": "73 GPa - 5 MPa/K * (T - 293 K)", "poisson": 0.22, "expansion": 5e-6},
    2: {"young": [(250.0, "72 GPa"), (450.0, "62 GPa")], "poisson": 0.33, "expansion": 23e-6},
}
LAYERS = np.random.default_rng(7).integers(0, 3, (4, 4, 4))


def spheres(cells):
    """A matrix with spheres of two kinds, periodic."""
    image = sb.random_spheres(cells, count=10, volume_fraction=0.3, seed=2)
    blocks = (np.indices((cells,) * 3) * 2 // cells).sum(axis=0) % 2
    labels = np.where(image.labels > 0, 1 + blocks, 0)
    return sb.VoxelImage(labels.astype(np.uint8))


@pytest.fixture(scope="module")
def table():
    return sb.effective_thermoelasticity(
        LAYERS, PHASES, [450.0, 250.0, "350 K", 300.0], rtol=1e-9, progress=False
    )


def test_a_row_is_the_answer_at_its_temperature(table):
    assert table.temperatures.tolist() == [250.0, 300.0, 350.0, 450.0]
    # 64 random voxels are not isotropic, so that the bounds of an isotropic mixture may fail.
    assert all(check.passed for check in table.checks if "Hashin" not in check.name), str(table)
    for row, temperature in enumerate(table.temperatures):
        alone = sb.effective_expansion(
            LAYERS, PHASES, temperature=float(temperature), rtol=1e-9, budget="none", progress=False
        )
        stiffness = np.asarray(alone.stats["stiffness"])
        np.testing.assert_allclose(table.stiffness[row], stiffness, atol=1e-7 * stiffness.max())
        np.testing.assert_allclose(table.expansion[row], alone.value, atol=1e-6 * np.abs(alone.value).max())


def test_the_secant_expansion_is_the_mean_of_the_tangent_one(table):
    secant, tangent = table.secant_expansion(250.0), table.expansion
    np.testing.assert_allclose(secant[0], tangent[0], rtol=1e-12)
    np.testing.assert_allclose(secant[1], (tangent[0] + tangent[1]) / 2, rtol=1e-12)
    back = table.secant_expansion(450.0)
    np.testing.assert_allclose(back[0], secant[3], rtol=1e-12)  # the same two ends


def test_a_reference_outside_the_table_is_refused(table):
    with pytest.raises(sb.InputError, match="extend the temperatures"):
        table.secant_expansion(200.0)


def test_it_is_written_as_csv_and_json(table, tmp_path):
    rows = list(csv.reader(io.StringIO(table.to_csv())))
    assert len(rows) == 5
    assert rows[0][0] == "temperature [K]"
    assert float(rows[1][1]) == pytest.approx(table.stiffness[0, 0, 0], rel=1e-9)
    told = json.loads(table.save(tmp_path / "t.json").read_text(encoding="utf-8"))
    np.testing.assert_allclose(told["stiffness"], table.stiffness, rtol=1e-12)
    assert isinstance(table, ThermoelasticTable)


def test_ranges_are_filled_from_their_ends():
    for count in (2, 3, 20):
        assert sorted(inwards(count)) == list(range(count))


def ratio(cells):
    """Iterations of twenty temperatures over those of one, alone, in the middle of the range."""
    image = spheres(cells)
    wanted = np.linspace(250.0, 450.0, 20).tolist()
    many = sb.effective_thermoelasticity(image, PHASES, wanted, progress=False)
    assert many.passed
    one = sb.effective_expansion(image, PHASES, temperature=350.0, budget="none", progress=False)
    return many.steps.sum() / sum(one.stats["steps"])


def test_twenty_temperatures_cost_at_most_six_times_one():
    assert ratio(16) <= 6.0


@pytest.mark.slow
def test_twenty_temperatures_cost_at_most_six_times_one_on_a_finer_grid():
    assert ratio(48) <= 6.0


@pytest.mark.parametrize(
    ("temperatures", "phases", "says"),
    [
        ([300.0], PHASES, "at least two"),
        ("300, 400", PHASES, "at least two"),
        ([300.0, 300.0], PHASES, "twice"),
        ([300.0, 500.0], PHASES, "500"),
        ([300.0, -5.0], PHASES, "above 0 K"),
        ([300.0, "warm"], PHASES, "warm"),
        ([300.0, 400.0], {0: PHASES[0]}, "label 1"),
        ([300.0, 400.0], {**PHASES, 3: PHASES[0]}, "label 3"),
    ],
)
def test_refusals(temperatures, phases, says):
    with pytest.raises(sb.InputError, match=says):
        sb.effective_thermoelasticity(LAYERS, phases, temperatures, progress=False)
