"""Short compilations on JAX: what is tested is arithmetic, not speed."""

import pytest
from running import quick_compilation


@pytest.fixture(scope="module")
def quick():
    with quick_compilation():
        yield
