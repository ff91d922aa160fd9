"""The endpoint's certificate: found, or requested and proven by a record in its zone.

https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from pennyworth.aws.account import Account, Unprepared

_POLL_SECONDS = 5.0
_RECORD_SECONDS = 60.0
_TTL_SECONDS = 300
_TAG = {"Key": "pennyworth", "Value": "bootstrap"}

# every one that ACM offers; it lists only some of them by default
_KEY_TYPES = [
    "RSA_1024",
    "RSA_2048",
    "RSA_3072",
    "RSA_4096",
    "EC_prime256v1",
    "EC_secp384r1",
    "EC_secp521r1",
]

Certificate = Mapping[str, Any]


def find_certificate(account: Account, domain: str) -> Certificate | None:
    """The certificate for a domain in the account's region: an issued one, else one that waits for its proof.

    Args:
        account: where to look.
        domain: the endpoint's, such as api.example.com.
    Returns:
        ACM's description: https://docs.aws.amazon.com/acm/latest/APIReference/API_CertificateDetail.html
    """
    acm = account.client("acm")
    pages = acm.get_paginator("list_certificates").paginate(
        CertificateStatuses=["ISSUED", "PENDING_VALIDATION"], Includes={"keyTypes": _KEY_TYPES}
    )
    arns = [summary["CertificateArn"] for page in pages for summary in page["CertificateSummaryList"]]
    described = [acm.describe_certificate(CertificateArn=arn)["Certificate"] for arn in arns]
    fitting = [certificate for certificate in described if covers(certificate, domain)]
    fitting.sort(key=lambda found: (found["Status"] != "ISSUED", -read_expiry(found)))
    return fitting[0] if fitting else None


def covers(certificate: Certificate, domain: str) -> bool:
    """Whether a certificate is for a domain, by its name or by a wildcard."""
    return not {certificate["DomainName"], *certificate.get("SubjectAlternativeNames", [])}.isdisjoint(
        _list_names(domain)
    )


def read_expiry(certificate: Certificate) -> float:
    """When it ends, in seconds since 1970; 0 where it has not begun."""
    ends = certificate.get("NotAfter")
    return float(ends.timestamp()) if ends else 0.0


def request_certificate(account: Account, domain: str) -> str:
    """Ask ACM for a certificate; its ARN."""
    answer = account.client("acm").request_certificate(
        DomainName=domain,
        ValidationMethod="DNS",
        IdempotencyToken="pennyworth",  # asked for twice within an hour, it is the same one
        Tags=[_TAG],
    )
    return str(answer["CertificateArn"])


def is_ours(account: Account, arn: str) -> bool:
    """Whether it was `request` that asked for it."""
    return _TAG in account.client("acm").list_tags_for_certificate(CertificateArn=arn)["Tags"]


def find_missing_records(account: Account, domain: str, zone: str, arn: str) -> list[dict[str, Any]]:
    """The records that prove a domain and are not in its zone. ACM looks for them at each renewal, too.

    Args:
        account: where the certificate is.
        domain: the endpoint's; a certificate may be for others, too, which lie elsewhere.
        zone: the domain's hosted zone, by its id.
        arn: the certificate's.
    """
    return [
        record for record in _fetch_records(account, domain, arn) if not _find_record(account, zone, record)
    ]


def write_validation_records(account: Account, domain: str, zone: str, arn: str) -> None:
    """Write the records that prove the domain into its zone.

    Raises:
        Unprepared: ACM names none.
    """
    deadline = time.monotonic() + _RECORD_SECONDS
    while not _fetch_records(account, domain, arn):
        if time.monotonic() > deadline:
            raise Unprepared(f"ACM names no record to prove {arn} with. Look at it in ACM's console.")
        time.sleep(_POLL_SECONDS)
    _change_records(
        account,
        zone,
        "UPSERT",
        [
            {
                "Name": record["Name"],
                "Type": record["Type"],
                "TTL": _TTL_SECONDS,
                "ResourceRecords": [{"Value": record["Value"]}],
            }
            for record in find_missing_records(account, domain, zone, arn)
        ],
    )


def wait_until_issued(account: Account, arn: str, seconds: float, *, report: Callable[[str], None]) -> None:
    """Wait until it is issued.

    Args:
        account: where it is.
        arn: its ARN.
        seconds: how long at most.
        report: is told of its state whenever that changes.
    Raises:
        Unprepared: ACM refused it, or it took longer.
    """
    deadline = time.monotonic() + seconds
    told = ""
    while True:
        found = account.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]
        status = found["Status"]
        if status != told:
            report(status)
            told = status
        if status == "ISSUED":
            return
        if status != "PENDING_VALIDATION":
            raise Unprepared(
                f"The certificate is {status} ({found.get('FailureReason', 'no reason told')}): {arn}"
            )
        if time.monotonic() > deadline:
            raise Unprepared(
                f"The certificate is still not issued: {arn}. Its proof must be in a zone that the world asks: see that"
                " your registrar names the hosted zone's name servers (pennyworth doctor). Then run this again."
            )
        time.sleep(_POLL_SECONDS)


def delete_certificate(account: Account, domain: str, zone: str, arn: str) -> bool:
    """Delete one that nobody uses, and its records; whether it is gone."""
    found = account.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]
    if found.get("InUseBy"):
        return False
    held = [_find_record(account, zone, record) for record in _fetch_records(account, domain, arn)]
    account.client("acm").delete_certificate(CertificateArn=arn)
    _change_records(account, zone, "DELETE", [found for found in held if found])
    return True


def _list_names(domain: str) -> tuple[str, str]:
    """What a certificate may call a domain."""
    return domain, f"*.{domain.partition('.')[2]}"


def _fetch_records(account: Account, domain: str, arn: str) -> list[dict[str, Any]]:
    found = account.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]
    return [
        option["ResourceRecord"]
        for option in found.get("DomainValidationOptions", [])
        if option["DomainName"] in _list_names(domain) and "ResourceRecord" in option
    ]


def _find_record(account: Account, zone: str, record: Mapping[str, Any]) -> dict[str, Any] | None:
    """A record with that very value, as its zone holds it."""
    answer = account.client("route53").list_resource_record_sets(
        HostedZoneId=zone, StartRecordName=record["Name"], StartRecordType=record["Type"], MaxItems="1"
    )
    for found in answer["ResourceRecordSets"]:
        values = [value["Value"].rstrip(".") for value in found.get("ResourceRecords", [])]
        same_name = found["Name"].rstrip(".") == record["Name"].rstrip(".")
        if same_name and found["Type"] == record["Type"] and record["Value"].rstrip(".") in values:
            return dict(found)
    return None


def _change_records(account: Account, zone: str, action: str, records: list[dict[str, Any]]) -> None:
    if records:
        changes = [{"Action": action, "ResourceRecordSet": record} for record in records]
        account.client("route53").change_resource_record_sets(
            HostedZoneId=zone, ChangeBatch={"Changes": changes}
        )
