"""The command line: one verb a file.

Nothing heavy is imported at the top of these modules, except in those that only a running verb imports, so
that `scalebridge --help` is instant.
"""
