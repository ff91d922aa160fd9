"""Two repositories that deploy one stack at the same time, of which GitHub knows nothing: both get their turn."""

from concurrent.futures import ThreadPoolExecutor

from tests.rehearsal.account import client
from tests.rehearsal.conftest import like

from pennyworth.local.aws.server import LocalAws
from pennyworth.local.rehearsal.repository import STACK, Repository

SIZES = ("512", "768")


def test_neither_is_lost(prepared_aws: LocalAws, origin: Repository) -> None:
    """Whether they meet on the stack is left to chance here; tests/pipeline/test_deploy.py lets them."""
    aws = prepared_aws
    with like(origin, aws) as one, like(origin, aws) as other:
        for repository, size in zip((one, other), SIZES, strict=True):
            repository.parameters["MemorySize"] = size
        with ThreadPoolExecutor(2) as both:
            runs = list(both.map(lambda repository: repository.run(), (one, other)))
        for run in runs:
            assert run.job.succeeded, run.job.output
        (name,) = (
            function["FunctionName"]
            for function in client(aws, "lambda").list_functions()["Functions"]
            if function["FunctionName"].startswith(f"{STACK}-")
        )
        published = client(aws, "lambda").list_versions_by_function(FunctionName=name)["Versions"]
        sizes = {version["Version"]: str(version["MemorySize"]) for version in published}
        assert {sizes["1"], sizes["2"]} == set(SIZES)
        live = client(aws, "lambda").get_alias(FunctionName=name, Name="live")["FunctionVersion"]
        assert live == "2"
