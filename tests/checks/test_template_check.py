"""The check of a template: sam reads it once, and again when anything changes that decides what it says."""

import json
import os
import subprocess
from pathlib import Path

from pennyworth.host.environments import environment
from pennyworth.host.places import ROOT, made

GOOD = "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n"
CHECK = """
import json, os, sys
from pathlib import Path
from pennyworth.checks import template_check
from pennyworth.checks.template_check import check_template
sys.prefix = sys.argv[1]
path, runs, told = Path("template.yaml"), Path("runs"), []
for text in json.loads(sys.argv[2]):
    path.write_text(text)
    report = check_template(path, dict(os.environ))
    told.append([report.accepted, bool(report.sam.strip()), runs.read_text().count("run")])
hashes = [template_check._hash_inputs(path, region) for region in ("us-west-2", "us-west-2", "eu-west-1")]
Path(".cfnlintrc").write_text("ignore_checks: [W]")
hashes.append(template_check._hash_inputs(path, "us-west-2"))
print(json.dumps([told, hashes]))
"""


def test_sam_reads_an_accepted_template_once(tmp_path: Path) -> None:
    program = tmp_path / "prefix" / "bin" / "sam"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\necho run >> "{tmp_path}/runs"\nexec "{environment("tools")}/sam" "$@"\n')
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
    told, (here, again, elsewhere, configured) = json.loads(done.stdout)
    assert told == [[True, True, 1], [True, True, 1], [False, True, 2], [False, True, 3]]
    assert here == again != elsewhere
    assert configured not in (here, elsewhere)
