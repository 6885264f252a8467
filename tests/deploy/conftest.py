"""conftest.py - what is deployed, looked at by the tools of others (make test-deploy).

There is no cluster and no AWS account here: nothing is applied.  Charts are rendered by Helm and held
against Kubernetes' own schemas; what Terraform would make, against the types of its provider.
"""
import os
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".cache" / "deploy"


@pytest.fixture(scope="session")
def binary():
    return str(pathlib.Path(os.environ.get("SLUICE_BIN", ROOT / "build" / "sluice")).resolve())
