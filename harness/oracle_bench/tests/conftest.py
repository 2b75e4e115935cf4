import pytest

from oracle_bench.bench import Bench
from oracle_bench.node import Node


@pytest.fixture(scope="session")
def node():
    with Node() as node:
        yield node


@pytest.fixture
def bench(node):
    return Bench(node)
