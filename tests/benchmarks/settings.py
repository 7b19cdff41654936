"""The product's settings, and an address beside its own that does nothing at all."""

from lumasite.settings import *  # noqa: F403

ROOT_URLCONF = "tests.benchmarks.urls"
