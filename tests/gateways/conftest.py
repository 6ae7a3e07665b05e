"""The contract is no test module of its own; its assertions are to be read like a test's."""

import pytest

pytest.register_assert_rewrite("tests.gateways.contract")
