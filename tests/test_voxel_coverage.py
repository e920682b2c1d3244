"""Whether the stated 95 % intervals hold the truth, and composite voxels are what they are said to be."""

import csv
import sys
from collections import defaultdict

import numpy as np
import pytest

from known_structures import REFERENCE, Structure, balls, cylinder_conductivity, sphere_table, structure
from scalebridge.cells.conductivity import effective_conductivity
from scalebridge.core.errors import PhaseError
from scalebridge.grids.composite_shapes import composite_from_shape
from scalebridge.grids.generators import checkerboard, square_inclusion
from scalebridge.grids.sampling_scatter import displacement_scatter
from scalebridge.upscaling.fraction_scatter import fraction_scatter

CELLS = {2: 64, 3: 32}
# Fresh seeds: those up to 2100 chose the numbers of the estimate.
FIFTY = [
    *[("square", seed) for seed in range(5000, 5008)],
    *[("hexagonal", seed) for seed in range(5000, 5005)],
    *[("laminate2", seed) for seed in range(5000, 5009)],
    *[("hashin2", seed) for seed in range(5000, 5008)],
    *[("spheres", seed) for seed in range(5000, 5008)],
    *[("laminate3", seed) for seed in range(5000, 5006)],
    *[("hashin3", seed) for seed in range(5000, 5006)],
]


def rows(name):
    with (REFERENCE / name).open(newline="") as file:
        return list(csv.DictReader(file))


def answer(image, phases, budget="none"):
    return effective_conductivity(image, phases, budget=budget, progress=False)


def interval(image, phases):
    """The value of infinitely small voxels as the result states it, and its half width."""
    stated = answer(image, phases, "standard").stats["voxel size"]
    return np.array(stated["extrapolated"]), np.array(stated["half width 95 %"])


def distances(image, phases, exact):
    """How far each component of the exact tensor is from the extrapolated one, in half widths."""
    value, half_width = interval(image, phases)
    return (np.abs(value - exact) / half_width)[np.triu_indices(len(exact))]


def covered(image, phases, exact):
    """Whether each component of the exact tensor is within the stated interval."""
    return distances(image, phases, exact) <= 1


def say(capsys, text):
    with capsys.disabled():
        sys.stdout.write(f"\n{text}\n")


# ------------------------------------------------------------------------------------- the exact values


def test_multipoles_give_the_published_values():
    for row in rows("arrays_of_cylinders_conductivity.csv"):
        ratio, share = float(row["k_incl/k_matrix"]), float(row["area_fraction"])
        if np.isfinite(ratio):
            found = cylinder_conductivity(row["array"], share, ratio)
            assert found == pytest.approx(float(row["k_eff/k_matrix"]), rel=1e-8)


def test_the_sphere_table_goes_through_the_published_values():
    for row in rows("arrays_of_spheres_conductivity.csv"):
        ratio = float(row["k_sphere/k_matrix"])
        if np.isfinite(ratio):
            found = sphere_table(ratio)(float(row["volume_fraction"]))
            assert found == pytest.approx(float(row["k_eff/k_matrix"]), rel=1e-12)


# ------------------------------------------------------------------------------------- composite voxels


@pytest.mark.parametrize("ratio", [0.0, 0.01, 0.1, 10.0, 100.0, 1000.0])
def test_composite_cylinders_at_32_are_as_good_as_plain_ones_at_128(ratio):
    # Root mean square over fractions and offsets: single plain images are right by luck.
    cases = [structure("square", seed) for seed in range(3)]
    coarse, fine = [], []
    for case in cases:
        share = np.pi * 0.09 * (0.5 + case.seed)  # fractions 0.14, 0.42, 0.71
        share = min(share, 0.6)
        radius, offset = np.sqrt(share / np.pi), np.array([0.31, 0.47]) + 0.1 * case.seed
        label_at = balls([offset], [radius], np.ones(2))
        exact = cylinder_conductivity("square", share, ratio)
        made = Structure("square", case.seed, (1.0, 1.0), (1.0, ratio), label_at, exact * np.eye(2))
        for cells, image, errors in ((32, made.composite, coarse), (128, made.plain, fine)):
            found = answer(image(cells), {0: 1.0, 1: ratio}).value
            errors.append(np.trace(found) / 2 / exact - 1)
    assert np.sqrt(np.mean(np.square(coarse))) <= np.sqrt(np.mean(np.square(fine)))


@pytest.mark.parametrize(
    ("family", "seed"),
    [("square", 1), ("laminate2", 3), pytest.param("hashin2", 0, marks=pytest.mark.slow)],
)
def test_composite_voxels_converge_at_first_order_and_extrapolate(family, seed):
    case = structure(family, seed)
    errors = [
        np.max(np.abs(answer(case.composite(cells), dict(enumerate(case.values))).value - case.exact))
        for cells in (16, 32, 64)
    ]
    assert errors[2] <= 0.7 * errors[0]
    value, half_width = interval(case.composite(64), dict(enumerate(case.values)))
    assert np.all(np.abs(value - case.exact) <= half_width)
    if family != "hashin2":  # whose errors change sign near 40 voxels, where extrapolation adds them up
        assert np.max(np.abs(value - case.exact)) <= max(errors[2], 2e-3 * case.exact.max())


@pytest.mark.parametrize("share", [0.3, *[pytest.param(x, marks=pytest.mark.slow) for x in (0.1, 0.5)]])
def test_an_enclosed_conductor_acts_as_if_it_were_thicker(share):
    # Measured on arrays, spheres, coated objects at contrasts above 90: by 0.035 to 0.05 of a voxel's edge.
    label_at = balls([np.array([0.41, 0.67])], [np.sqrt(share / np.pi)], np.ones(2))
    image, values = composite_from_shape(label_at, 48, dim=2), [1.0, 1000.0]
    found = np.trace(answer(image, dict(enumerate(values))).value) / 2
    shares = list(image.fractions.values())
    edge = fraction_scatter(found * np.eye(2), shares, values, displacement_scatter(image))[0, 0]
    assert 0.025 < (found - cylinder_conductivity("square", share, 1000.0)) / edge < 0.06


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pytest.param("plain", marks=pytest.mark.slow), "composite"])
def test_intervals_of_flat_structures_hold_the_truth(kind):
    found = []
    for family in ("square", "laminate2", "hashin2"):
        for seed in (5000, 5001):
            case = structure(family, seed)
            image = getattr(case, kind)(32)
            found.append(covered(image, case.phases(image), case.exact))
    every = np.concatenate(found)
    assert np.mean(every) >= 0.85  # of 18: at the stated 96 %, fewer than 16 come once in 100 draws


# ------------------------------------------------------------------------------------------ all of them


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["plain", "composite"])
def test_fifty_seeded_structures_are_covered_as_stated(kind, capsys):
    found = defaultdict(list)
    for family, seed in FIFTY:
        case = structure(family, seed)
        image = getattr(case, kind)(CELLS[case.dim])
        found[family].append(covered(image, case.phases(image), case.exact))
    lines = [
        f"{family:<10} {sum(map(np.sum, hits))} of {sum(map(len, hits))} components, "
        f"{sum(map(np.all, hits))} of {len(hits)} tensors"
        for family, hits in found.items()
    ]
    components = np.concatenate([hit for hits in found.values() for hit in hits])
    lines.append(f"all: {np.mean(components):.1%} of {components.size} components")
    say(capsys, f"{kind} images, {len(FIFTY)} structures\n" + "\n".join(lines))
    assert 0.90 <= np.mean(components) <= 0.99


def published():
    """Every row of the tables that voxels can show: not the perfect conductors."""
    for row in rows("arrays_of_cylinders_conductivity.csv"):
        edges = (1.0, 1.0) if row["array"] == "square" else (1.0, np.sqrt(3))
        centres = [np.array(edges) / 2] if row["array"] == "square" else [np.zeros(2), np.array(edges) / 2]
        radius = np.sqrt(float(row["area_fraction"]) * edges[1] / len(centres) / np.pi)
        values = (1.0, float(row["k_incl/k_matrix"]))
        shape = balls(centres, [radius] * len(centres), edges)
        yield row["array"], edges, values, shape, float(row["k_eff/k_matrix"])
    for row in rows("arrays_of_spheres_conductivity.csv"):
        radius = (float(row["volume_fraction"]) / (4 / 3 * np.pi)) ** (1 / 3)
        values = (1.0, float(row["k_sphere/k_matrix"]))
        yield (
            "spheres",
            (1.0,) * 3,
            values,
            balls([[0.5] * 3], [radius], np.ones(3)),
            float(row["k_eff/k_matrix"]),
        )
    for row in rows("hashin_coated_conduction_exact.csv"):
        for dim, column in ((2, "k_eff_cylinder(2D)"), (3, "k_eff_sphere(3D)")):
            radii = [0.42, 0.42 * float(row["c"]) ** (1 / dim)]
            values = (float(row[column]), float(row["k_coat"]), float(row["k_core"]))
            yield "coated", (1.0,) * dim, values, balls([[0.5] * dim] * 2, radii, np.ones(dim)), values[0]


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_published_values_are_within_the_stated_intervals(capsys):
    hits, missed = defaultdict(list), []
    for name, edges, values, shape, exact in published():
        if np.isfinite(values[-1]):
            case = Structure(name, 0, edges, values, shape, exact * np.eye(len(edges)))
            for kind in ("plain", "composite"):
                image = getattr(case, kind)(CELLS[case.dim])
                try:
                    farthest = np.max(distances(image, case.phases(image), case.exact))
                except PhaseError:  # the voxels cut the matrix off
                    hits[f"{kind}, not run", name].append(False)
                    continue
                hits[kind, name].append(bool(farthest <= 1))
                if farthest > 1:
                    missed.append(f"{kind} {name}, {values}, exact {exact:.5g}: {farthest:.2f} half widths")
    for row in rows("conduction_2d_exact.csv"):
        if np.isfinite(float(row["k2"])):
            image = checkerboard(64) if row["case"].startswith("checker") else square_inclusion(64)
            exact = float(row["k_eff"]) * np.eye(2)
            hit = bool(np.all(covered(image, {0: float(row["k1"]), 1: float(row["k2"])}, exact)))
            hits["plain", row["case"]].append(hit)
    table = [f"{kind:<20} {name:<26} {sum(hit)} of {len(hit)}" for (kind, name), hit in hits.items()]
    say(capsys, "rows of the published tables within the stated intervals\n" + "\n".join(table + missed))
    for kind in ("plain", "composite"):
        every = [hit for (of, _), found in hits.items() if of == kind for hit in found]
        assert len(every) >= 170
        assert all(every)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_composite_spheres_at_32_are_as_good_as_plain_ones_at_128(capsys):
    lines, coarse, fine = [], [], []
    for name, edges, values, shape, exact in published():
        if name != "spheres" or not np.isfinite(values[1]):
            continue
        case = Structure(name, 0, edges, values, shape, exact * np.eye(3))
        image = case.composite(32)
        raw = answer(image, dict(enumerate(values))).value[0, 0] / exact - 1
        plain = answer(case.plain(128), dict(enumerate(values))).value[0, 0] / exact - 1
        stated = interval(image, dict(enumerate(values)))[0][0, 0] / exact - 1
        lines.append(f"k = {values[1]:<6g} exact {exact:.5f}: {plain:9.1e} {raw:9.1e} {stated:9.1e}")
        fine.append(plain)
        coarse.append(raw)
    say(capsys, "relative errors: plain 128^3, composite 32^3, and extrapolated from it\n" + "\n".join(lines))
    assert np.sqrt(np.mean(np.square(coarse))) <= np.sqrt(np.mean(np.square(fine)))
