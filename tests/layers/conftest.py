"""Short compilations for the layers' tests on JAX."""

import pytest
from running import quick_compilation


@pytest.fixture(autouse=True)
def _quick_compilation():
    with quick_compilation():
        yield
