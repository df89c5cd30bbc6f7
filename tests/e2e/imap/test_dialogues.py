"""Conformance: every command and announced extension in dialogues, each with the RFC section that it comes from."""

import glob
import importlib
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

import dialogue  # noqa: E402
from harness import Server  # noqa: E402
from mails import MAILS  # noqa: E402

MODULES = [importlib.import_module(os.path.basename(path)[:-3])
           for path in sorted(glob.glob(os.path.join(os.path.dirname(__file__), "cases_*.py")))]
GROUPS = {
    f"{module.__name__[6:]}-{name.lower()}": value
    for module in MODULES for name, value in vars(module).items() if name.isupper()
}
# The files of a mailbox that was deleted are gone.
NATIVE_ONLY = {"the selected mailbox is deleted by another session"}
CASES = [(f"u{number}", one) for number, one in enumerate(c for group in GROUPS.values() for c in group)]


@pytest.fixture(scope="module", params=["culver", "maildir"])
def server(request):
    with Server(users=[user for user, _ in CASES], tls=False, log_level="warn",
                extra=f"worker_linger = 0\nimap_server_admin = mailto:admin@example.org\nmail_format = {request.param}\n") as s:
        s.mail_format = request.param
        yield s


@pytest.mark.parametrize("user, one", CASES, ids=[f"{c.rfc} {c.name}".replace(" ", "-") for _, c in CASES])
def test_dialogue(server, user, one):
    if server.mail_format == "maildir" and one.name in NATIVE_ONLY:
        pytest.skip("not with Maildir")
    dialogue.run(server, user, MAILS, one)
