"""The error tree: every way in which scalebridge refuses an input.

ValueError
  InputError            argument, got, wanted, cure
    FileFormatError     a file is not what its name or metadata says
    ImageError          an image cannot be used for what is asked
    PhaseError          a phase is missing, superfluous or has an impossible value
    UnitError           a unit is missing, unknown or of the wrong dimension
    CaseError           a case file has an unknown key or a value of the wrong kind
    ResourceError       the job does not fit into this machine
RuntimeError
  SolverError           a numerical method stopped without reaching its goal
  TaskError             one of many tasks failed, or the process that did it was lost
ImportError
  MissingExtraError     an optional dependency is not installed
"""


class InputError(ValueError):
    """A mistake in the input, refused before any long work.

    Args:
        argument: name of the argument, option or file at fault.
        got: what came.
        wanted: what would have been accepted.
        cure: what the caller can do about it.

    Example:
        >>> raise InputError("rtol", got="-1.0", wanted="a number in (0, 1)", cure="pass rtol=1e-6")
        Traceback (most recent call last):
        ...
        scalebridge.core.errors.InputError: rtol: got -1.0; wanted a number in (0, 1); pass rtol=1e-6
    """

    def __init__(self, argument: str, *, got: object, wanted: str, cure: str):
        self.argument, self.got, self.wanted, self.cure = argument, str(got), wanted, cure
        super().__init__(f"{argument}: got {self.got}; wanted {wanted}; {cure}")

    def __reduce__(self):
        # Keyword-only arguments would be lost when a worker process sends the error home.
        return _rebuild, (type(self), self.argument, self.got, self.wanted, self.cure)


def _rebuild(kind: type[InputError], argument: str, got: str, wanted: str, cure: str) -> InputError:
    return kind(argument, got=got, wanted=wanted, cure=cure)


class FileFormatError(InputError):
    """A file is truncated, empty, or not what its name or metadata says."""


class ImageError(InputError):
    """An image cannot be used for what is asked."""


class PhaseError(InputError):
    """A phase is missing, superfluous, or has a value that physics forbids."""


class UnitError(InputError):
    """A unit is missing, unknown, or of the wrong dimension."""


class CaseError(InputError):
    """A case file has an unknown key, or a value of the wrong kind."""


class ResourceError(InputError):
    """The job does not fit into this machine's memory."""


class SolverError(RuntimeError):
    """A numerical method stopped without reaching its goal; the text says why and what to try."""


class TaskError(RuntimeError):
    """One of many tasks failed, or the process that did it was lost; the text names it, and what is kept."""


class MissingExtraError(ImportError):
    """An optional dependency is not installed.

    Args:
        package: the package that is missing.
        extra: the extra of scalebridge that brings it.
        purpose: what it is needed for.
    """

    def __init__(self, package: str, *, extra: str, purpose: str):
        super().__init__(
            f"{purpose} needs the package '{package}', which is not installed; "
            f'install it with: pip install "scalebridge[{extra}]"',
            name=package,
        )
