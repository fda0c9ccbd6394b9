"""The year's flights and the champion, made once for this room."""

import pytest

from flights import data
from flights.data import Tables


@pytest.fixture(scope="session")
def raw() -> Tables:
    return data.tables()


@pytest.fixture(scope="session")
def rows(raw):
    """Every prediction of 2013 with its features and its label. Not to be changed."""
    return data.predictions(raw)
