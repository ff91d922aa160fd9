"""`python -m pennyworth.iam.policy`: what `pennyworth policy` runs, in the environment `tools`."""

import argparse
import json
import sys
from dataclasses import asdict

from pennyworth.aws.source_template import SourceTemplate, TemplateRefused
from pennyworth.host.progress import show_anything
from pennyworth.iam.policy import check, documents, readme
from pennyworth.iam.policy.derivation import Need, derive_needs
from pennyworth.iam.policy.options import arguments
from pennyworth.iam.policy.rules import read_rules
from pennyworth.iam.policy.statements import Document, derive_documents
from pennyworth.iam.policy.template import Template


def main() -> int:
    """Derive the policy documents, then print, check or write them."""
    show_anything()
    parser = argparse.ArgumentParser(prog="pennyworth policy")
    arguments(parser)
    options = parser.parse_args()
    try:
        template = Template(SourceTemplate.read(options.template), read_rules())
        found = derive_needs(template, read_rules())
    except TemplateRefused as refused:
        print(refused, file=sys.stderr)
        return 1
    wanted = derive_documents(found, read_rules())
    problems = [
        *check.find_oversized_documents(wanted),
        *check.find_needs_outside_boundary(found),
        *check.find_roles_outside_boundary(template),
    ]
    tables = readme.render_tables(wanted, read_rules())
    if options.check:
        problems += check.find_stale_rules(read_rules())
        problems += map(str, check.find_differences(wanted, found, read_rules()))
        problems += readme.find_differences(tables)
        if options.json:
            print(json.dumps({"ok": not problems, "problems": list(dict.fromkeys(problems))}, indent=2))
        elif not problems:
            print("The policy documents allow exactly what the template needs.")
    elif options.write:
        _write_documents(wanted)
        readme.write(tables)
    else:
        print(json.dumps(_convert_needs(found) if options.needs else wanted, indent=2))
    for problem in dict.fromkeys(problems):
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _convert_needs(found: list[Need]) -> list[dict[str, object]]:
    return [asdict(need) for need in found]


def _write_documents(wanted: dict[str, Document]) -> None:
    for name, document in wanted.items():
        path = documents.POLICIES / f"{name}.json"
        text = json.dumps(document, indent=2) + "\n"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"wrote policies/{path.name}")
    for name in set(documents.DEPLOYMENT) - set(wanted):
        (documents.POLICIES / f"{name}.json").unlink()
        print(f"deleted policies/{name}.json, which the template no longer needs")


if __name__ == "__main__":
    sys.exit(main())
