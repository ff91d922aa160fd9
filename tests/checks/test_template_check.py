"""The check of a template: what was found good is not looked at again until anything changes that decides it."""

import json
import os
import subprocess
from pathlib import Path

from tests import warm

from pennyworth.host.environments import environment
from pennyworth.host.places import ROOT, made

GOOD = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n"
CHECK = """
import json, os, sys, types
from pathlib import Path
from pennyworth.checks import template_check
from pennyworth.checks.template_check import check_template
sys.prefix = sys.argv[1]
path, runs, told, compared = Path("template.yaml"), Path("runs"), [], []

def find_lacking(path):
    compared.append(path.read_text())
    return ["sns:CreateTopic"] * ("Nothing" in compared[-1])

sys.modules["pennyworth.checks.permission_check"] = types.SimpleNamespace(find_lacking=find_lacking)
for text in json.loads(sys.argv[2]):
    path.write_text(text)
    report = check_template(path, dict(os.environ))
    assert report.sam.strip()
    told.append([report.accepted, len(report.lacking), runs.read_text().count("run"), len(compared)])
hashes = [template_check._hash_inputs(path, region) for region in ("us-west-2", "us-west-2", "eu-west-1")]
Path(".cfnlintrc").write_text("ignore_checks: [W]")
hashes.append(template_check._hash_inputs(path, "us-west-2"))
hashes.append(template_check._hash_comparison(path))
template_check.ROOT = Path()
Path("policies").mkdir()
Path("policies", "deployment.json").write_text("{}")
hashes.append(template_check._hash_comparison(path))
print(json.dumps([told, hashes]))
"""


def test_what_is_good_is_looked_at_once(tmp_path: Path) -> None:
    program = tmp_path / "prefix" / "bin" / "sam"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\necho run >> "{tmp_path}/runs"\nexec "{warm.tools()}/sam" "$@"\n')
    program.chmod(0o755)
    bad = GOOD.replace("SNS::Topic", "SNS::Nothing")
    own = {
        "AWS_REGION": "us-west-2",
        "PENNYWORTH_WORK_DIR": str(tmp_path),
        "__SAM_CLI_APP_DIR": str(made("sam")),
    }
    done = subprocess.run(
        [
            environment("tools") / "python",
            "-c",
            CHECK,
            tmp_path / "prefix",
            json.dumps([GOOD, GOOD, bad, bad]),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **own},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    told, (here, again, elsewhere, configured, permitted, changed) = json.loads(done.stdout)
    assert told == [[True, 0, 1, 1], [True, 0, 1, 1], [False, 1, 2, 2], [False, 1, 3, 3]]
    assert permitted != changed
    assert here == again != elsewhere
    assert configured not in (here, elsewhere)
