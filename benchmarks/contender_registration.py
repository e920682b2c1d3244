"""A peer of registration in its own interpreter: reads a task, writes where it maps the points.

python contender_registration.py elastix|simpleitk|ants FOLDER
"""

import sys
import time
from pathlib import Path

import numpy as np


def elastix(task, folder: Path) -> np.ndarray:
    import itk  # noqa: PLC0415 (a peer is there or not)

    def image(values, pitch, kind=np.float32):
        made = itk.image_from_array(np.ascontiguousarray(values.T.astype(kind)))
        made.SetSpacing((pitch, pitch))
        made.SetOrigin((pitch / 2 - 0.5,) * 2)
        return made

    fixed, moving = image(task["fixed"], task["pitch"][0]), image(task["moving"], task["pitch"][1])
    mask = image(task["mask"], task["pitch"][1], np.uint8)
    parameters = itk.ParameterObject.New()
    levels = 4 if len(task["fixed"]) < 1000 else 6
    for kind in ("rigid", "affine", "bspline"):
        made = parameters.GetDefaultParameterMap(kind, levels, *((9.0,) if kind == "bspline" else ()))
        made["MaximumNumberOfIterations"] = ["1000" if kind == "bspline" else "500"]
        made["NumberOfSpatialSamples"] = ["8192"]
        made["RequiredRatioOfValidSamples"] = ["0.05"]
        made["WriteResultImage"] = ["false"]
        if kind == "rigid":
            made["AutomaticTransformInitialization"] = ["true"]
            made["AutomaticTransformInitializationMethod"] = ["CenterOfGravity"]
        if kind == "bspline":
            made["Metric"], made["Registration"] = (
                ["AdvancedMattesMutualInformation"],
                ["MultiResolutionRegistration"],
            )
        parameters.AddParameterMap(made)
    _, found = itk.elastix_registration_method(
        fixed, moving, parameter_object=parameters, moving_mask=mask, log_to_console=False
    )
    points = folder / "points.txt"
    rows = "\n".join(f"{x:.12g} {y:.12g}" for x, y in task["points"])
    points.write_text(f"point\n{len(task['points'])}\n{rows}\n", encoding="utf-8")
    itk.transformix_filter(
        moving,
        found,
        fixed_point_set_file_name=str(points),
        output_directory=str(folder),
        log_to_console=False,
    )
    lines = (folder / "outputpoints.txt").read_text(encoding="utf-8").splitlines()
    return np.array(
        [[float(v) for v in row.split("OutputPoint = [")[1].split("]")[0].split()] for row in lines]
    )


def simpleitk(task, folder: Path) -> np.ndarray:
    import SimpleITK as sitk  # noqa: N813, PLC0415 (as everybody calls it)

    def image(values, pitch):
        made = sitk.GetImageFromArray(np.ascontiguousarray(values.T))
        made.SetSpacing((pitch, pitch))
        made.SetOrigin((pitch / 2 - 0.5,) * 2)
        return made

    fixed, moving = image(task["fixed"], task["pitch"][0]), image(task["moving"], task["pitch"][1])
    mask = image(task["mask"].astype(np.uint8), task["pitch"][1])
    start = sitk.CenteredTransformInitializer(
        fixed, moving, sitk.AffineTransform(2), sitk.CenteredTransformInitializerFilter.MOMENTS
    )

    def method(factors):
        made = sitk.ImageRegistrationMethod()
        made.SetMetricAsMattesMutualInformation(50)
        made.SetMetricSamplingStrategy(made.RANDOM)
        made.SetMetricSamplingPercentagePerLevel([0.2] * len(factors), 1)
        made.SetMetricMovingMask(mask)
        made.SetInterpolator(sitk.sitkLinear)
        made.SetShrinkFactorsPerLevel(factors)
        made.SetSmoothingSigmasPerLevel([f / 2 for f in factors])
        made.SetOptimizerAsGradientDescent(2.0, 200, 1e-7, 20, made.EachIteration)
        made.SetOptimizerScalesFromPhysicalShift()
        return made

    linear = method([8, 4, 2])
    linear.SetInitialTransform(start, True)
    linear.Execute(fixed, moving)
    spline = sitk.BSplineTransformInitializer(fixed, [6, 6], 3)
    bent = method([4, 2, 1])
    bent.SetMovingInitialTransform(start)
    bent.SetInitialTransformAsBSpline(spline, True, [1, 2, 4])
    bent.Execute(fixed, moving)
    whole = sitk.CompositeTransform([start, spline])
    return np.array([whole.TransformPoint(p) for p in task["points"].tolist()])


def ants(task, folder: Path) -> np.ndarray:
    import ants as library  # noqa: PLC0415 (a peer is there or not)
    import pandas  # noqa: PLC0415 (a peer is there or not)

    def image(values, pitch):
        corner = (pitch / 2 - 0.5,) * 2
        return library.from_numpy(values.astype(np.float32), origin=corner, spacing=(float(pitch),) * 2)

    fixed, moving = image(task["fixed"], task["pitch"][0]), image(task["moving"], task["pitch"][1])
    mask = image(task["mask"], task["pitch"][1])
    found = library.registration(fixed, moving, "SyN", moving_mask=mask, syn_metric="mattes")
    points = pandas.DataFrame(task["points"], columns=["x", "y"])
    mapped = library.apply_transforms_to_points(2, points, found["fwdtransforms"])
    return mapped[["x", "y"]].to_numpy()


if __name__ == "__main__":
    where = Path(sys.argv[2])
    given = dict(np.load(where / "task.npz"))
    started = time.process_time()
    answer = {"elastix": elastix, "simpleitk": simpleitk, "ants": ants}[sys.argv[1]](given, where)
    np.savez(where / "answer.npz", mapped=answer, seconds=time.process_time() - started)
