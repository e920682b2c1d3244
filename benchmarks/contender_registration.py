"""A peer of registration in its own interpreter: reads a task, writes where it maps the points.

python contender_registration.py elastix|simpleitk|ants FOLDER
"""

import sys
import time
from pathlib import Path

import numpy as np

ELASTIX = {  # S. Klein and M. Staring, the elastix manual, chapters 5 and 6; the affine model of its zoo
    "Metric": "AdvancedMattesMutualInformation",
    "NumberOfHistogramBins": "32",
    "Optimizer": "AdaptiveStochasticGradientDescent",
    "AutomaticParameterEstimation": "true",
    "MaximumNumberOfIterations": "2000",  # "for better accuracy"
    "ImageSampler": "RandomCoordinate",
    "NumberOfSpatialSamples": "4096",
    "NewSamplesEveryIteration": "true",
    "ErodeMask": "false",  # a mask that leaves out tears, and does not cut out an object
    "FixedImagePyramid": "FixedSmoothingImagePyramid",
    "MovingImagePyramid": "MovingSmoothingImagePyramid",
    "RequiredRatioOfValidSamples": "0.05",
    "WriteResultImage": "false",
}


def elastix(task, folder: Path) -> np.ndarray:
    import itk  # noqa: PLC0415 (a peer is there or not)

    def image(values, pitch, kind=np.float32):
        made = itk.image_from_array(np.ascontiguousarray(values.T.astype(kind)))
        made.SetSpacing((pitch, pitch))
        made.SetOrigin((pitch / 2 - 0.5,) * 2)
        return made

    fixed, moving = image(task["fixed"], task["pitch"][0]), image(task["moving"], task["pitch"][1])
    masks = {
        "fixed_mask": image(task["fixed_mask"], task["pitch"][0], np.uint8),
        "moving_mask": image(task["mask"], task["pitch"][1], np.uint8),
    }
    parameters = itk.ParameterObject.New()
    levels = 4 if len(task["fixed"]) < 1000 else 6
    for kind in ("rigid", "affine", "bspline"):
        made = parameters.GetDefaultParameterMap(kind, levels, *((9.0,) if kind == "bspline" else ()))
        for key, value in ELASTIX.items():
            made[key] = [value]
        if kind == "rigid":
            made["AutomaticTransformInitialization"] = ["true"]
            made["AutomaticTransformInitializationMethod"] = ["CenterOfGravity"]
        if kind == "bspline":
            made["Registration"] = ["MultiResolutionRegistration"]  # without the penalty of the shipped map
        parameters.AddParameterMap(made)
    _, found = itk.elastix_registration_method(
        fixed, moving, parameter_object=parameters, log_to_console=False, **masks
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
    fixed_mask = image(task["fixed_mask"].astype(np.uint8), task["pitch"][0])

    def method(factors):
        made = sitk.ImageRegistrationMethod()
        made.SetMetricAsMattesMutualInformation(50)
        made.SetMetricSamplingStrategy(made.NONE)  # every sample: one and the same cost for all steps
        made.SetMetricFixedMask(fixed_mask)
        made.SetMetricMovingMask(mask)
        made.SetInterpolator(sitk.sitkLinear)
        made.SetShrinkFactorsPerLevel(factors)
        made.SetSmoothingSigmasPerLevel([f / 2 for f in factors])
        made.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
        return made

    coarse = max(1, len(task["fixed"]) // 64)
    start = sitk.CenteredTransformInitializer(
        fixed * sitk.Cast(fixed_mask, fixed.GetPixelID()), moving, sitk.Euler2DTransform(),
        sitk.CenteredTransformInitializerFilter.MOMENTS,
    )  # fmt: skip
    for kind in (sitk.Euler2DTransform, sitk.Similarity2DTransform, sitk.AffineTransform):
        began = kind(2) if kind is sitk.AffineTransform else kind()
        began.SetMatrix(start.GetMatrix())
        began.SetTranslation(start.GetTranslation())
        began.SetCenter(start.GetCenter())
        linear = method([coarse, max(1, coarse // 2), max(1, coarse // 4)])
        linear.SetOptimizerAsGradientDescent(1.0, 300, 1e-6, 10)  # of the notebooks, three times as long
        linear.SetOptimizerScalesFromPhysicalShift()
        linear.SetInitialTransform(began, True)
        linear.Execute(fixed, moving)
        start = began
    spline = sitk.BSplineTransformInitializer(fixed, [6, 6], 3)
    bent = method([4, 2, 1])
    bent.SetOptimizerAsLBFGS2(1e-5, 200, deltaConvergenceTolerance=1e-5)
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
    found = library.registration(
        fixed,
        moving,
        "antsRegistrationSyN[s]",
        mask=image(task["fixed_mask"], task["pitch"][0]),
        moving_mask=mask,
        mask_all_stages=True,
        random_seed=1,
    )  # the script that its documentation recommends: rigid, affine, SyN
    points = pandas.DataFrame(task["points"], columns=["x", "y"])
    mapped = library.apply_transforms_to_points(2, points, found["fwdtransforms"])
    return mapped[["x", "y"]].to_numpy()


if __name__ == "__main__":
    where = Path(sys.argv[2])
    given = dict(np.load(where / "task.npz"))
    started = time.process_time()
    answer = {"elastix": elastix, "simpleitk": simpleitk, "ants": ants}[sys.argv[1]](given, where)
    np.savez(where / "answer.npz", mapped=answer, seconds=time.process_time() - started)
