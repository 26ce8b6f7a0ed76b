"""Renders that the tests of the pipelines share with those of all files."""

from tests.render.conftest import render, template

__all__ = ["render", "template"]
