"""Pointwise constitutive laws, one small file each."""
