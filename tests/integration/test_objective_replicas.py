"""Two replicas learn what one device learns, whatever the objective."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vpr_tf.config import OBJECTIVES

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


def test_two_replicas_step_as_one_device():
    script = ROOT / "tests" / "integration" / "objective_replicas.py"
    output = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert output.returncode == 0, output.stderr[-4000:]
    differences = json.loads(output.stdout.splitlines()[-1])
    assert len(differences) == len(OBJECTIVES.classes) + 2
    assert max(differences.values()) < 5e-6, differences
