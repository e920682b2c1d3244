"""Pass parameters between scales, with unit, uncertainty, derivative and proof of what was preserved.

The names below load what they need on first use, so that `import scalebridge` is instant. The first numerical
one switches JAX to 64-bit numbers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scalebridge.cells.conductivity import effective_conductivity
    from scalebridge.cells.conductivity_rve import conductivity_rve_study
    from scalebridge.cells.effective_laminate import effective_laminate
    from scalebridge.cells.effective_laminate_stiffness import laminate_expansion, laminate_stiffness
    from scalebridge.cells.expansion import effective_expansion
    from scalebridge.cells.gas_slip import gas_slip
    from scalebridge.cells.graded_stiffness import DensityLaw, graded_stiffness
    from scalebridge.cells.interface_energy import effective_gradient_energy
    from scalebridge.cells.interface_mobility import effective_mobility
    from scalebridge.cells.laminate import laminate_conductivity
    from scalebridge.cells.lamination_theory import lamination_theory
    from scalebridge.cells.macroscopic_loading import macroscopic_response
    from scalebridge.cells.mean_field_estimates import estimate_mori_tanaka, estimate_self_consistent
    from scalebridge.cells.permeability import permeability
    from scalebridge.cells.permeability_rve import permeability_rve_study
    from scalebridge.cells.phase_field import flat_interface
    from scalebridge.cells.response_path import response_along_path
    from scalebridge.cells.stiffness import effective_stiffness
    from scalebridge.cells.stiffness_rve import stiffness_rve_study
    from scalebridge.cells.thermoelastic_table import effective_thermoelasticity
    from scalebridge.core.checks import Check
    from scalebridge.core.errors import (
        CaseError,
        FileFormatError,
        ImageError,
        InputError,
        MissingExtraError,
        PhaseError,
        ResourceError,
        SolverError,
        TaskError,
        UnitError,
    )
    from scalebridge.core.estimate import Estimate, Gaussian, Samples
    from scalebridge.core.model import LinearModel, Model, Outlook, Response
    from scalebridge.core.provenance import Provenance
    from scalebridge.core.results import Outcome
    from scalebridge.core.spec import Spec
    from scalebridge.core.transfer import Transfer
    from scalebridge.core.upscaled import Bound, Contribution, Upscaled, load_result
    from scalebridge.fusion.fuse import fuse
    from scalebridge.fusion.fusion_model import FusionModel
    from scalebridge.fusion.sensors import Sensor
    from scalebridge.grids.balls import cylinder_array, sphere_lattice, spheres_image
    from scalebridge.grids.composite import CompositeImage
    from scalebridge.grids.composite_images import composite_from_grey, composite_from_labels
    from scalebridge.grids.ellipsoids import random_ellipsoids
    from scalebridge.grids.fibres import random_fibres
    from scalebridge.grids.gaussian_fields import gaussian_field_image
    from scalebridge.grids.generators import checkerboard, laminate_image, random_voxels, square_inclusion
    from scalebridge.grids.image import VoxelImage
    from scalebridge.grids.operations import coarsen, crop, mirror, relabel
    from scalebridge.grids.packing import random_spheres
    from scalebridge.grids.percolation import percolation
    from scalebridge.grids.polycrystals import random_polycrystal
    from scalebridge.grids.statistics import image_statistics
    from scalebridge.grids.thresholds import otsu_threshold, threshold
    from scalebridge.inference.sampling import sample
    from scalebridge.inference.select_scales import select_scales
    from scalebridge.inference.upscale_measurements import upscale_measurements
    from scalebridge.io.cards import conductivity_card
    from scalebridge.io.elastic_cards import stiffness_card
    from scalebridge.io.fields import write_fields
    from scalebridge.io.read import read_volume
    from scalebridge.laws.constitutive_law import constitutive_law
    from scalebridge.laws.elastic_bounds import bound_elastic
    from scalebridge.laws.elastic_material import elastic_material
    from scalebridge.laws.engineering_constants import engineering_constants
    from scalebridge.laws.fibre_rules import fibre_ply
    from scalebridge.reactor.equivalent_constants import equivalent_constants
    from scalebridge.reactor.homogenize_lattice import homogenize_lattice
    from scalebridge.reactor.solve_core import solve_core
    from scalebridge.reactor.solve_transport import solve_transport
    from scalebridge.registration.register import register
    from scalebridge.registration.registration_result import Registration
    from scalebridge.registration.warp import warp
    from scalebridge.structures.darcy import darcy_flow
    from scalebridge.structures.solve_structure import solve_structure
    from scalebridge.upscaling.bounds import bound_hashin_shtrikman, bound_reuss, bound_voigt, bound_wiener
    from scalebridge.upscaling.rve_result import RveStudy
    from scalebridge.upscaling.schemes import estimate_bruggeman, estimate_maxwell
    from scalebridge.upscaling.symmetry import anisotropy

    from . import geometry, report

_HOMES = {
    "cells.conductivity": ("effective_conductivity",),
    "cells.conductivity_rve": ("conductivity_rve_study",),
    "cells.effective_laminate": ("effective_laminate",),
    "cells.effective_laminate_stiffness": (
        "laminate_expansion",
        "laminate_stiffness",
    ),
    "cells.expansion": ("effective_expansion",),
    "cells.gas_slip": ("gas_slip",),
    "cells.graded_stiffness": (
        "DensityLaw",
        "graded_stiffness",
    ),
    "cells.interface_energy": ("effective_gradient_energy",),
    "cells.interface_mobility": ("effective_mobility",),
    "cells.laminate": ("laminate_conductivity",),
    "cells.lamination_theory": ("lamination_theory",),
    "cells.macroscopic_loading": ("macroscopic_response",),
    "cells.mean_field_estimates": (
        "estimate_mori_tanaka",
        "estimate_self_consistent",
    ),
    "cells.permeability": ("permeability",),
    "cells.permeability_rve": ("permeability_rve_study",),
    "cells.phase_field": ("flat_interface",),
    "cells.response_path": ("response_along_path",),
    "cells.stiffness": ("effective_stiffness",),
    "cells.stiffness_rve": ("stiffness_rve_study",),
    "cells.thermoelastic_table": ("effective_thermoelasticity",),
    "core.checks": ("Check",),
    "core.errors": (
        "CaseError",
        "FileFormatError",
        "ImageError",
        "InputError",
        "MissingExtraError",
        "PhaseError",
        "ResourceError",
        "SolverError",
        "TaskError",
        "UnitError",
    ),
    "core.estimate": (
        "Estimate",
        "Gaussian",
        "Samples",
    ),
    "core.model": (
        "LinearModel",
        "Model",
        "Outlook",
        "Response",
    ),
    "core.provenance": ("Provenance",),
    "core.results": ("Outcome",),
    "core.spec": ("Spec",),
    "core.transfer": ("Transfer",),
    "core.upscaled": (
        "Bound",
        "Contribution",
        "Upscaled",
        "load_result",
    ),
    "fusion.fuse": ("fuse",),
    "fusion.fusion_model": ("FusionModel",),
    "fusion.sensors": ("Sensor",),
    "grids.balls": (
        "cylinder_array",
        "sphere_lattice",
        "spheres_image",
    ),
    "grids.composite": ("CompositeImage",),
    "grids.composite_images": (
        "composite_from_grey",
        "composite_from_labels",
    ),
    "grids.ellipsoids": ("random_ellipsoids",),
    "grids.fibres": ("random_fibres",),
    "grids.gaussian_fields": ("gaussian_field_image",),
    "grids.generators": (
        "checkerboard",
        "laminate_image",
        "random_voxels",
        "square_inclusion",
    ),
    "grids.image": ("VoxelImage",),
    "grids.operations": (
        "coarsen",
        "crop",
        "mirror",
        "relabel",
    ),
    "grids.packing": ("random_spheres",),
    "grids.percolation": ("percolation",),
    "grids.polycrystals": ("random_polycrystal",),
    "grids.statistics": ("image_statistics",),
    "grids.thresholds": (
        "otsu_threshold",
        "threshold",
    ),
    "inference.sampling": ("sample",),
    "inference.select_scales": ("select_scales",),
    "inference.upscale_measurements": ("upscale_measurements",),
    "io.cards": ("conductivity_card",),
    "io.elastic_cards": ("stiffness_card",),
    "io.fields": ("write_fields",),
    "io.read": ("read_volume",),
    "laws.constitutive_law": ("constitutive_law",),
    "laws.elastic_bounds": ("bound_elastic",),
    "laws.elastic_material": ("elastic_material",),
    "laws.engineering_constants": ("engineering_constants",),
    "laws.fibre_rules": ("fibre_ply",),
    "reactor.equivalent_constants": ("equivalent_constants",),
    "reactor.homogenize_lattice": ("homogenize_lattice",),
    "reactor.solve_core": ("solve_core",),
    "reactor.solve_transport": ("solve_transport",),
    "registration.register": ("register",),
    "registration.registration_result": ("Registration",),
    "registration.warp": ("warp",),
    "structures.darcy": ("darcy_flow",),
    "structures.solve_structure": ("solve_structure",),
    "upscaling.bounds": (
        "bound_hashin_shtrikman",
        "bound_reuss",
        "bound_voigt",
        "bound_wiener",
    ),
    "upscaling.rve_result": ("RveStudy",),
    "upscaling.schemes": (
        "estimate_bruggeman",
        "estimate_maxwell",
    ),
    "upscaling.symmetry": ("anisotropy",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Bound",
    "CaseError",
    "Check",
    "CompositeImage",
    "Contribution",
    "DensityLaw",
    "Estimate",
    "FileFormatError",
    "FusionModel",
    "Gaussian",
    "ImageError",
    "InputError",
    "LinearModel",
    "MissingExtraError",
    "Model",
    "Outcome",
    "Outlook",
    "PhaseError",
    "Provenance",
    "Registration",
    "ResourceError",
    "Response",
    "RveStudy",
    "Samples",
    "Sensor",
    "SolverError",
    "Spec",
    "TaskError",
    "Transfer",
    "UnitError",
    "Upscaled",
    "VoxelImage",
    "anisotropy",
    "bound_elastic",
    "bound_hashin_shtrikman",
    "bound_reuss",
    "bound_voigt",
    "bound_wiener",
    "checkerboard",
    "coarsen",
    "composite_from_grey",
    "composite_from_labels",
    "conductivity_card",
    "conductivity_rve_study",
    "constitutive_law",
    "crop",
    "cylinder_array",
    "darcy_flow",
    "effective_conductivity",
    "effective_expansion",
    "effective_gradient_energy",
    "effective_laminate",
    "effective_mobility",
    "effective_stiffness",
    "effective_thermoelasticity",
    "elastic_material",
    "engineering_constants",
    "equivalent_constants",
    "estimate_bruggeman",
    "estimate_maxwell",
    "estimate_mori_tanaka",
    "estimate_self_consistent",
    "fibre_ply",
    "flat_interface",
    "fuse",
    "gas_slip",
    "gaussian_field_image",
    "geometry",
    "graded_stiffness",
    "homogenize_lattice",
    "image_statistics",
    "laminate_conductivity",
    "laminate_expansion",
    "laminate_image",
    "laminate_stiffness",
    "lamination_theory",
    "load_result",
    "macroscopic_response",
    "mirror",
    "otsu_threshold",
    "percolation",
    "permeability",
    "permeability_rve_study",
    "random_ellipsoids",
    "random_fibres",
    "random_polycrystal",
    "random_spheres",
    "random_voxels",
    "read_volume",
    "register",
    "relabel",
    "report",
    "response_along_path",
    "sample",
    "select_scales",
    "solve_core",
    "solve_structure",
    "solve_transport",
    "sphere_lattice",
    "spheres_image",
    "square_inclusion",
    "stiffness_card",
    "stiffness_rve_study",
    "threshold",
    "upscale_measurements",
    "warp",
    "write_fields",
]


def __getattr__(name: str) -> Any:
    if name in ("geometry", "report"):
        return import_module(f"scalebridge.{name}")
    if name == "__version__":
        return import_module("importlib.metadata").version("scalebridge")
    if name in _HOME_OF:
        found = getattr(import_module(f"scalebridge.{_HOME_OF[name]}"), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'scalebridge' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
