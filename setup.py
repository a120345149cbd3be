"""For tools that ask for this file; what the package is, pyproject.toml says."""

from setuptools import setup

setup()
