"""What the tests of structures share: a unit with a memory in NumPy, which can die, and small problems."""

import os
import signal

import numpy as np

from scalebridge.engine.history_unit import UnitAnswer
from scalebridge.engine.point_engine import LocalEngine
from scalebridge.structures.assembly import Assembler
from scalebridge.structures.conditions import Conditions, component_dofs, reduce_unknowns
from scalebridge.structures.kinematics import make_kinematics
from scalebridge.structures.point_units import unit_of
from scalebridge.structures.solid_mesh import box_mesh

BULK, SHEAR, YIELD, HARDENING = 62.5, 28.8462, 0.1, 0.5
VOLUMETRIC = np.outer([1.0, 1, 1, 0, 0, 0], [1.0, 1, 1, 0, 0, 0]) / 3
DEVIATORIC = np.eye(6) - VOLUMETRIC
ELASTIC = 3 * BULK * VOLUMETRIC + 2 * SHEAR * DEVIATORIC


class LazySpring:
    """The elastic answer of `PlasticUnit`."""

    tangent = ELASTIC

    def margin(self, load):
        return float(np.linalg.norm(2 * SHEAR * DEVIATORIC @ load) / (np.sqrt(2 / 3) * YIELD) - 1)


class PlasticUnit:
    """J2 plasticity with linear hardening, that can die at a certain call, in a certain process.

    Args:
        die_at: number of the call of `respond` at which the process is killed; 0 for never.
        only: what the environment variable OMPI_COMM_WORLD_RANK has to be for that; "" for any.
        spare: a process that is never killed.
    """

    finite = False

    def __init__(self, die_at=0, only="", spare=0):
        self.die_at, self.only, self.spare, self.calls = die_at, only, spare, 0

    def rest(self):
        return {"plastic strain": np.zeros(6), "p": np.zeros(())}

    def elastic(self):
        return LazySpring()

    def signature(self):
        return "plastic unit"

    def respond(self, load, state, dt=0.0, *, hint=None):
        self.calls += 1
        mine = self.only in ("", os.environ.get("OMPI_COMM_WORLD_RANK"))
        if self.calls == self.die_at and mine and os.getpid() != self.spare:
            os.kill(os.getpid(), signal.SIGKILL)
        trial = 2 * SHEAR * DEVIATORIC @ (load - state["plastic strain"])
        size = np.linalg.norm(trial)
        excess = np.sqrt(1.5) * size - (YIELD + HARDENING * state["p"])
        elastic = 3 * BULK * VOLUMETRIC @ load
        if excess <= 0:
            return UnitAnswer(elastic + trial, ELASTIC, dict(state), {"load": load})
        step, n = excess / (3 * SHEAR + HARDENING), trial / size
        shrink = 1 - 3 * SHEAR * step / (np.sqrt(1.5) * size)
        after = {"plastic strain": state["plastic strain"] + np.sqrt(1.5) * step * n, "p": state["p"] + step}
        along = 2 * SHEAR * HARDENING / (3 * SHEAR + HARDENING)  # the slope in the direction of flow
        tangent = 3 * BULK * VOLUMETRIC + 2 * SHEAR * shrink * DEVIATORIC
        tangent = tangent + (along - 2 * SHEAR * shrink) * np.outer(n, n)
        return UnitAnswer(elastic + shrink * trial, tangent, after, {"load": load})


BENT = {"left": {"x": 0, "y": 0, "z": 0}, "right": {"z": 1.0}}
FLAT = {"left": {"x": 0, "z": 0}, "right": {"z": 1.0}, "front": {"y": 0}, "back": {"y": 0}}
"""A bar bent without strain across: of the wide one four points along y have the same history."""
BAR, WIDE = box_mesh((2.0, 1.0, 1.0), (2, 1, 1)), box_mesh((2.0, 1.0, 1.0), (2, 2, 1))
FACTORS = [0.004, 0.008, 0.012, 0.006]


def reaction_slope(solid, material, path, dt=0.0):
    """dR/dfactor of the bent bar by the consistent tangents, after the strains of the points at each step."""
    unit = unit_of(material)
    k = make_kinematics(solid, 1, finite=bool(unit.finite), plane="strain")
    reduction = reduce_unknowns(solid, k, Conditions(BENT))
    engine = LocalEngine(lambda: unit, k.points)
    for epoch, strains in enumerate(path):
        tangents = engine.evaluate(strains, dt, epoch).tangents
        engine.commit(epoch)
    stiffness, t, g = Assembler.of(k).stiffness(tangents), reduction.transform, reduction.offset
    step = t @ np.linalg.solve((t.T @ stiffness @ t).toarray(), -(t.T @ stiffness @ g)) + g
    return float((stiffness @ step)[component_dofs(k, solid.facets("right"))[2]].sum())
