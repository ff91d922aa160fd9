"""Addresses of pages in the AWS console, in every partition."""

from collections.abc import Mapping
from urllib.parse import quote

from pennyworth.aws.snapshot import Snapshot

_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


class Console:
    """The console of a region."""

    def __init__(self, region: str, partition: str = "aws") -> None:
        """
        Args:
            region: the region.
            partition: its partition, as in ARNs.
        """
        self._region = region
        self._base = f"https://{region}.{_HOSTS.get(partition, _HOSTS['aws'])}"

    def build_stack_url(self, stack_id: str) -> str:
        """Build the URL of a stack, from its id (an ARN)."""
        return self._build("cloudformation", f"/stacks/stackinfo?stackId={quote(stack_id, safe='')}")

    def build_function_url(self, name: str) -> str:
        """Build the URL of a Lambda function."""
        return self._build("lambda", f"/functions/{quote(name)}")

    def build_log_url(self, group: str) -> str:
        """Build the URL of a log group."""
        # the console's own way of writing a name: percent-encoded twice, with $ for %
        name = quote(quote(group, safe=""), safe="").replace("%", "$")
        return self._build("cloudwatch", f"logsV2:log-groups/log-group/{name}")

    def build_dashboard_url(self, name: str) -> str:
        """Build the URL of a CloudWatch dashboard."""
        return self._build("cloudwatch", f"dashboards/dashboard/{quote(name)}")

    def _build(self, service: str, fragment: str) -> str:
        return f"{self._base}/{service}/home?region={self._region}#{fragment}"


def list_links(stack: Snapshot) -> Mapping[str, str | None]:
    """Return the addresses of an endpoint's pages by name; None for pages that it does not have."""
    outputs = stack.outputs
    console = Console(stack.region, stack.id.split(":")[1] if stack.id.startswith("arn:") else "aws")
    group, function = outputs.get("LogGroupName"), outputs.get("FunctionName")
    return {
        "dashboard": console.build_dashboard_url(stack.name) if outputs.get("DashboardUrl") else None,
        "logs": console.build_log_url(group) if group else None,
        "stack": console.build_stack_url(stack.id),
        "function": console.build_function_url(function) if function else None,
        "url": outputs.get("CustomDomainUrl") or outputs.get("ApiUrl"),
    }
