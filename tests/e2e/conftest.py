import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from harness import ROOT, Server  # noqa: E402


@pytest.fixture(scope="module")
def server():
    """A server with users alice and bob, shared by the tests of a module (as root: real uids; otherwise rootless)."""
    with Server() as s:
        yield s


@pytest.fixture(scope="module", params=["root", "rootless"] if ROOT else ["rootless"])
def any_server(request):
    """The same, in each mode that can be run here."""
    with Server(rootless=request.param == "rootless") as s:
        yield s
