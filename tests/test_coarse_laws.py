"""What a cell hands up, as the law of a coarse model: results, tensors and the cells themselves."""

from functools import lru_cache

import jax.numpy as jnp
import numpy as np
import pytest

import scalebridge as sb
from scalebridge.cells.conduction_host import HostConduction, Medium
from scalebridge.cells.elasticity import ElasticCell
from scalebridge.core.errors import InputError
from scalebridge.grids.voxel_kernels import voxel_table
from scalebridge.solvers.conjugate_gradients import ConjugateGradients
from scalebridge.structures.solid_mesh import box_mesh
from scalebridge.structures.solve_conduction import solve_conduction
from scalebridge.structures.solve_structure import solve_structure

LAYERS = np.zeros((4, 4, 4), int)
LAYERS[:, 2:] = 1  # across y: arithmetic mean along x, harmonic mean along y
PLATE = box_mesh((2.0, 1.0), (4, 2))
CUBE = box_mesh((1.0, 1.0, 1.0), (1, 1, 1))
ENDS = {"left": 1.0, "right": 0.0}


@lru_cache
def layered():
    image = sb.VoxelImage(LAYERS, voxel=(1e-6,) * 3, names={0: "soft", 1: "hard"})
    return sb.effective_conductivity(image, {0: "1 W/m/K", 1: "3 W/m/K"}, rtol=1e-10)


@pytest.mark.parametrize("kind", ["tri", "quad", "tet", "hex"])
@pytest.mark.parametrize("order", [1, 2])
def test_a_rod_conducts_as_its_layers_do(kind, order):
    """Exact: k along x is the mean 2, along y 3/2; a potential that is linear is in every element."""
    dim = 2 if kind in ("tri", "quad") else 3
    rod = box_mesh((2.0, 1.0, 1.0)[:dim], (3, 2, 2)[:dim], kind)
    handed = layered()
    along = solve_conduction(rod, handed, potentials=ENDS, order=order)
    assert along.passed
    assert along.units == ("W/m/K", "K", "W")
    assert along.flows == pytest.approx({"left": 1.0, "right": -1.0}, rel=1e-8)  # 2 of 1 over 2, section 1
    np.testing.assert_allclose(along.flux[:, 0], 1.0, rtol=1e-8)
    np.testing.assert_allclose(along.potential, 1.0 - rod.mesh.p[0] / 2.0, atol=1e-9)
    low, high = ("bottom", "top") if dim == 2 else ("front", "back")
    up = solve_conduction(rod, handed, potentials={low: "1 K", high: "0 K"}, order=order)
    assert up.flows[low] == pytest.approx(1.5 * 2.0, rel=1e-8)


def test_what_is_made_inside_flows_out_and_the_parabola_is_exact_in_second_order():
    found = solve_conduction(PLATE, 2.0, potentials={"left": 0.0, "right": 0.0}, source="3 W/m^3", order=2)
    x = PLATE.mesh.p[0]
    np.testing.assert_allclose(found.potential, 3.0 * x * (2.0 - x) / (2 * 2.0), atol=1e-12)
    assert found.flows == pytest.approx({"left": -3.0, "right": -3.0}, rel=1e-12)
    assert found.passed


def test_a_flux_goes_through_and_an_anisotropic_body_conducts_as_its_mirror_image():
    pushed = solve_conduction(PLATE, 2.0, potentials={"right": 0.0}, fluxes={"left": "4 W/m^2"})
    assert pushed.flows == pytest.approx({"left": 4.0, "right": -4.0}, rel=1e-12)
    np.testing.assert_allclose(pushed.potential, 4.0 * (2.0 - PLATE.mesh.p[0]) / 2.0, rtol=0, atol=1e-12)
    leaning = np.array([[2.0, 0.7], [0.7, 1.0]])
    one = solve_conduction(PLATE, leaning, potentials=ENDS)
    other = solve_conduction(PLATE, leaning * [[1, -1], [-1, 1]], potentials=ENDS)
    assert one.flows["left"] == pytest.approx(other.flows["left"], rel=1e-12)
    # between no flow across and no gradient across: k11 - k12^2 / k22 and k11
    assert (2.0 - 0.49) * 0.5 < one.flows["left"] < 2.0 * 0.5


def test_the_cell_itself_is_a_law_of_conduction():
    tensors = np.eye(3) * np.array([1.0, 3.0])[:, None, None]
    medium = Medium.of(tensors, tensors.mean(axis=0), diagonal=False)
    table, solver = voxel_table(np.array([1.0, 3.0]), LAYERS), ConjugateGradients(1e-10, 1e-10)
    cell = HostConduction((4, 4, 4), (1.0,) * 3, table, "hexahedra", medium, solver, double=True)
    found = solve_conduction(PLATE, cell, potentials={"bottom": 1.0, "top": 0.0}, unit="S/m")
    assert found.flows["bottom"] == pytest.approx(1.5 * 2.0, rel=1e-8)
    assert found.units == ("S/m", "V", "A")
    with pytest.raises(InputError, match="answers a mean gradient"):
        solve_structure(PLATE, cell, supports={"left": {"x": 0, "y": 0}, "right": {"x": 1e-3}})


def test_the_cell_itself_is_a_law_of_elasticity():
    """Layers without Poisson's ratio: moduli of 1 and 3, along them 2."""
    table = np.eye(6) * np.array([1.0, 3.0])[:, None, None]
    cell = ElasticCell.of(jnp.asarray(table), jnp.asarray(LAYERS), solver=ConjugateGradients(1e-10, 1e-10))
    supports = {"left": {"x": 0, "y": 0}, "right": {"x": 1e-3}}
    found = solve_structure(PLATE, cell, supports=supports, steps=1)
    assert found.passed
    assert found.curve()[1][-1] == pytest.approx(2.0 * 1e-3 / 2.0, rel=1e-8)
    with pytest.raises(InputError, match="answers a mean strain"):
        solve_conduction(PLATE, cell, potentials=ENDS)


ROWS = [
    ("no potential", {"potentials": {}}, "known up to a constant"),
    ("a boundary that there is not", {"potentials": {"lefft": 1.0}}, "did you mean 'left'"),
    ("two at a corner", {"potentials": {"left": 1.0, "top": 0.0}}, "another potential"),
    ("a potential in volts", {"potentials": {"left": "1 V"}}, "convertible to K"),
    ("a flux in W", {"fluxes": {"right": "1 W"}}, "convertible to W/m"),
    ("infinity", {"source": np.inf}, "a number"),
    ("a conductivity below zero", {"material": -1.0}, "not positive definite"),
    ("a conductivity in words", {"material": "copper"}, "an Upscaled one"),
    ("another unit than the result's", {"material": layered, "unit": "S/m"}, "with a conductivity in W/m/K"),
    ("a unit that is none", {"unit": "Pa"}, "one of W/m/K"),
    ("an order of three", {"order": 3}, "1 or 2"),
    ("a mesh that is none", {"mesh": "plate"}, "a SolidMesh"),
    (
        "a tensor of the plane in space",
        {"mesh": CUBE, "material": np.eye(2)},
        "(3, 3)",
    ),
]


@pytest.mark.parametrize(("given", "said"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_refused(given, said):
    asked = {"mesh": PLATE, "material": 1.0, "potentials": ENDS} | given
    mesh, material = asked.pop("mesh"), asked.pop("material")
    with pytest.raises(InputError) as caught:
        solve_conduction(mesh, material() if callable(material) else material, **asked)
    assert said in str(caught.value)
