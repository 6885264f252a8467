"""test_airflow.py - examples/airflow, loaded by Airflow itself."""
import os
import subprocess
import sys

from conftest import ROOT

LOOK = """
from airflow.models.dagbag import DagBag
bag = DagBag({folder!r})
assert not bag.import_errors, bag.import_errors
for dag in bag.dags.values():
    print(dag.dag_id, [(t.task_id, sorted(t.downstream_task_ids)) for t in dag.tasks])
"""


def test_airflow_loads_the_drain(tmp_path):
    env = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    done = subprocess.run([sys.executable, "-c", LOOK.format(folder=str(ROOT / "examples" / "airflow"))],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, check=False)
    assert done.returncode == 0, done
    assert done.stdout.splitlines()[-1] == "sluice_drain [('is_due', ['drain']), ('drain', [])]", done
