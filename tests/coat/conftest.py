"""JAX spends these tests' time on compiling tiny models: without its optimisations."""

import pytest
from running import quick_compilation


@pytest.fixture(autouse=True)
def _quick_compilation():
    with quick_compilation():
        yield
