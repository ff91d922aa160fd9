"""The rules of the check: a table of functions, each of which yields findings."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pennyworth.checks.config import catalogue
from pennyworth.checks.config.facts import Entry, Facts, find_references, find_texts, format_place
from pennyworth.checks.config.keys import check_acknowledged, check_keys
from pennyworth.checks.config.lines import Place
from pennyworth.checks.config.modes import check_modes
from pennyworth.checks.config.needs import list_needs, uses_role
from pennyworth.checks.config.plain_secrets import check_files, check_secrets
from pennyworth.checks.config.report import Finding, Severity
from pennyworth.gateway.config import Deployment
from pennyworth.gateway.credentials import find_weakness
from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.fallbacks import list_fallbacks
from pennyworth.gateway.grades import Grade
from pennyworth.gateway.providers import PROVIDERS
from pennyworth.gateway.upstreams import find_unsendable

_HERE = re.compile(r"localhost|127\.[\d.]+|::1|0\.0\.0\.0|host\.docker\.internal|[\w.-]+\.localhost")

# users choose their models' names, or the price table lists them with a prefix
_NAMED_OTHERWISE = ("azure", "bedrock", "sagemaker", "vertex_ai")

_READ = (Grade.EXACT, Grade.APPROXIMATE)

_LITELLM_LEAST_MIB = 512
_HOW_TO_SET = "Set it in PROVIDER_CREDENTIALS, one NAME=value per line, or with `pennyworth credentials set`"


def report_refusals(facts: Facts) -> Iterator[Finding]:
    """Report what the gateway's parser refuses."""
    for error in facts.config.problems:
        # drop the place from the gateway's message: a finding has its own
        text, setting = str(error), f"{error.path[-1]}: "
        message = text.partition(setting)[2] if setting in text else text.partition(": ")[2]
        if error.path == ("model_list",):
            message += _explain_lack_of_models(facts.document)
        yield facts.make_finding(Severity.ERROR, error.path, message)


def _explain_lack_of_models(document: Mapping[str, Any]) -> str:
    """Say why a file that LiteLLM takes has no models here."""
    general = document.get("general_settings")
    if "proxy_config" in document or document.get("kind") == "ConfigMap":
        return ". `pennyworth config import` takes the configuration out of what is around it"
    if isinstance(general, Mapping) and (general.get("store_model_in_db") or general.get("database_url")):
        return ". LiteLLM has them in its database, which is not read here: write them into the file"
    return ""


def check_duplicate_keys(facts: Facts) -> Iterator[Finding]:
    """Find keys that a mapping contains twice."""
    for place, before, line in facts.lines.find_duplicates():
        message = f"is also set on line {before}, and only the last one has an effect. Remove one of them"
        yield Finding(Severity.WARNING, line, format_place(place), message)


def check_fallbacks(facts: Facts) -> Iterator[Finding]:
    """Find fallbacks to models that are not there."""
    for place, _, targets in list_fallbacks(facts.document):
        for target in targets or ():
            try:
                facts.config.resolve(target)
            except ApiError:
                message = f"names {target}, which is no model here. Correct the name, or add the model"
                yield facts.make_finding(Severity.WARNING, place, message)


def check_providers(facts: Facts) -> Iterator[Finding]:
    """Find models whose provider does not exist."""
    own = {
        text
        for place, text in find_texts(facts.document.get("litellm_settings"), ("litellm_settings",))
        if place[-1] == "provider"
    }
    for entry in facts.entries:
        provider = entry.deployment.provider
        place = (*entry.place, "litellm_params", "model")
        if provider == catalogue.ROUTERS:
            message = "can't answer: no model chooses among others here. Name the models that clients ask for"
            yield facts.make_finding(Severity.ERROR, place, message)
            continue
        if provider and not entry.deployment.model:
            message = f"names no model, so {provider} is asked for none. Write {provider}/MODEL"
            yield facts.make_finding(Severity.WARNING, place, message)
        if not provider or catalogue.is_known(provider):
            continue
        if entry.deployment.lane == "direct" and _get_base(entry):
            continue  # model_info.lane and api_base say how to reach it
        meant = catalogue.find_nearest_provider(provider)
        hint = (
            f"Did you mean '{meant}'?"
            if meant
            else "For an OpenAI-compatible server, use openai/MODEL and set its api_base"
        )
        if provider in own:
            message = (
                f"can't answer: '{provider}' is Python code of yours (custom_provider_map), which does not run here. If"
                " it calls a server that speaks OpenAI's API, use openai/MODEL and set its api_base"
            )
        else:
            message = f"LiteLLM knows no provider '{provider}'. {hint}"
        yield facts.make_finding(Severity.ERROR, place, message)


def check_wildcards(facts: Facts) -> Iterator[Finding]:
    """Find wildcards that can't match."""
    for entry in facts.entries:
        name, model = entry.deployment.name, str(entry.params["model"])
        if name.count("*") > 1:
            message = f"only the first * in '{name}' is a wildcard, so no model name matches it. Use one *"
            yield facts.make_finding(Severity.WARNING, (*entry.place, "model_name"), message)
        elif "*" in model and "*" not in name:
            message = (
                f"'{model}' contains a * but the model_name '{name}' does not, so requests would ask the provider for a"
                f" model named '*'. Use a * in both, or name a model here"
            )
            yield facts.make_finding(Severity.ERROR, (*entry.place, "litellm_params", "model"), message)
    for alias in facts.config.aliases:
        if "*" in alias:
            place = ("router_settings", "model_group_alias", alias)
            yield facts.make_finding(
                Severity.WARNING, place, "aliases have no wildcards: a * here matches only the character *"
            )


def check_values(facts: Facts) -> Iterator[Finding]:
    """Find addresses, keys and headers that no request can carry."""
    for entry in facts.entries:
        if found := find_unsendable(entry.deployment):
            name, problem = found
            yield facts.make_finding(Severity.ERROR, (*entry.place, "litellm_params", name), problem)
    for weakness in filter(None, map(find_weakness, facts.config.keys)):
        message = f"a deployed endpoint refuses this key: {weakness}. Choose another key"
        yield facts.make_finding(Severity.ERROR, ("general_settings", "master_key"), message)


def check_repeated_models(facts: Facts) -> Iterator[Finding]:
    """Find models that several entries define."""
    groups: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in facts.entries:
        groups[entry.deployment.name].append(entry)
    for name, (first, *others) in groups.items():
        for entry in others:
            same = [e for e in (first, *others) if e.place < entry.place and e.params == entry.params]
            line = facts.lines.find((same[0] if same else first).place)
            if same:
                message = f"line {line} already defines '{name}' with the same parameters. Remove one of them"
            else:
                message = (
                    f"line {line} also defines '{name}': each request goes to one of these entries at random"
                )
            severity = Severity.WARNING if same else Severity.NOTE
            yield facts.make_finding(severity, (*entry.place, "model_name"), message)


def check_aliases(facts: Facts) -> Iterator[Finding]:
    """Find aliases of missing models, and aliases that hide a model."""
    names = {entry.deployment.name for entry in facts.entries}
    written = {
        name
        for place, name in find_texts(facts.document.get("model_list"), ())
        if place[1:] == ("model_name",)
    }
    for alias, target in facts.config.aliases.items():
        place = ("router_settings", "model_group_alias", alias)
        try:
            facts.config.resolve(alias)
        except ApiError:
            if target in written:
                continue  # the target's own error is reported
            yield facts.make_finding(Severity.ERROR, place, f"model_list has no model '{target}'")
        if alias in names:
            yield facts.make_finding(
                Severity.WARNING, place, f"hides the model of the same name: requests for it go to '{target}'"
            )


def check_variables(facts: Facts) -> Iterator[Finding]:
    """Find environment variables that are needed but not set, each once."""
    lacking: defaultdict[tuple[str, ...], list[tuple[Place, str]]] = defaultdict(list)
    for entry in facts.entries:
        user = f"the model '{entry.deployment.name}'"
        for place, variable in find_references(entry.params, (*entry.place, "litellm_params")):
            if variable not in facts.environ:
                lacking[(variable,)].append((place, user))
        for need in list_needs(entry.deployment, facts.environ, entry.params):
            if not need.met:
                lacking[need.variables].append((entry.place, f"{user} for its provider's {need.purpose}"))
    for key in facts.keys:
        if key.section in ("litellm_params", "model_info") or key.row.grade not in _READ:
            continue
        value: Any = facts.document
        for part in key.place:
            value = value[part]
        for place, variable in find_references(value, key.place):
            if variable not in facts.environ:
                lacking[(variable,)].append((place, format_place(place)))
    for variables, users in lacking.items():
        unset = (
            f"{variables[0]} is not set" if len(variables) == 1 else f"none of {', '.join(variables)} is set"
        )
        more = f" (and {len(users) - 1} more)" if len(users) > 1 else ""
        message = f"{unset}; needed by {users[0][1]}{more}. {_HOW_TO_SET}"
        yield facts.make_finding(Severity.WARNING, users[0][0], message)


def check_local_servers(facts: Facts) -> Iterator[Finding]:
    """Find addresses of this machine: in Lambda, nothing but the gateway runs there."""
    for entry in facts.entries:
        base = _get_base(entry) or _get_default_base(entry.deployment)
        try:
            host = urlsplit(base).hostname or ""
        except ValueError:  # it is no address, which another rule says
            continue
        if _HERE.fullmatch(host):
            key = "api_base" if "api_base" in entry.params else "model"
            message = f"{host} is the machine that the gateway runs on. In Lambda, no other server runs there"
            yield facts.make_finding(Severity.WARNING, (*entry.place, "litellm_params", key), message)


def _get_base(entry: Entry) -> str:
    params = entry.deployment.params
    return str(params.get("api_base") or params.get("base_url") or "")


def _get_default_base(deployment: Deployment) -> str:
    return (
        (deployment.endpoint().base_url or "") if deployment.lane == "direct" and deployment.provider else ""
    )


def check_role_permissions(facts: Facts) -> Iterator[Finding]:
    """Find models that need permissions which the Lambda function's role lacks."""
    for entry in facts.entries:
        deployment, place = entry.deployment, (*entry.place, "litellm_params", "model")
        if uses_bedrock_role(entry, facts):
            if not facts.stack.allows_bedrock():
                message = "the function's IAM role may not call Bedrock. Set the stack parameter BedrockAccess to yes"
                yield facts.make_finding(Severity.WARNING, place, message)
        elif uses_role(deployment.provider, entry.params) and "AWS_BEARER_TOKEN_BEDROCK" not in facts.environ:
            message = f"the function's IAM role may not call {deployment.provider}. Give the model its own credentials"
            yield facts.make_finding(Severity.WARNING, place, message)
        elif "aws_role_name" in entry.params:
            where = (*entry.place, "litellm_params", "aws_role_name")
            message = "the function's IAM role may not assume another role, unless you allow it"
            yield facts.make_finding(Severity.WARNING, where, message)


def uses_bedrock_role(entry: Entry, facts: Facts) -> bool:
    """Return whether a model calls Bedrock with the Lambda function's own IAM role."""
    provider = entry.deployment.provider
    if not provider.startswith("bedrock") or not uses_role(provider, entry.params):
        return False
    row = PROVIDERS.get(provider, PROVIDERS["bedrock"])
    return not any(facts.environ.get(name) for name in row.key_variables)


def check_package(facts: Facts) -> Iterator[Finding]:
    """Find stack settings that rule out LiteLLM, if a model needs it."""
    through = [entry for entry in facts.entries if entry.deployment.lane == "litellm"]
    if not through:
        return
    place = (*through[0].place, "litellm_params", "model")
    names = f"'{through[0].deployment.name}'" + (f" and {len(through) - 1} more" if len(through) > 1 else "")
    if facts.stack.litellm == "no":
        message = f"{names} needs LiteLLM, but LITELLM_LANE is no. Set it to auto"
        yield facts.make_finding(Severity.WARNING, place, message)
    if facts.stack.get("PythonRuntime") == "python3.11":
        message = f"{names} needs LiteLLM, which does not run on Lambda's python3.11. Use python3.13"
        yield facts.make_finding(Severity.ERROR, place, message)
    memory = facts.stack.get("MemorySize")
    if memory.isdigit() and int(memory) < _LITELLM_LEAST_MIB:
        message = f"{names} needs LiteLLM, which needs {_LITELLM_LEAST_MIB} MiB of memory, but MemorySize is {memory}"
        yield facts.make_finding(Severity.WARNING, place, message)


_DATE = re.compile(r"20\d{6}|20\d\d-\d\d(-\d\d)?|-[01]\d[0-3]\d\b|-\d{3}$")
"""Of a version: one that the table has no more is no misspelt other one."""


def check_model_names(facts: Facts) -> Iterator[Finding]:
    """Find model names similar to one in LiteLLM's price table. Needs LiteLLM on this machine."""
    table = catalogue.list_priced_models()
    for entry in facts.entries:
        deployment = entry.deployment
        priced = table.get(deployment.provider, frozenset())
        model = deployment.model
        if (
            "*" in model
            or _DATE.search(model)
            or model in priced
            or _get_base(entry)
            or deployment.provider.startswith(_NAMED_OTHERWISE)
        ):
            continue
        if meant := catalogue.find_nearest(model, priced):
            place = (*entry.place, "litellm_params", "model")
            message = f"LiteLLM's price table has no model '{model}' of {deployment.provider}. Did you mean '{meant}'?"
            yield facts.make_finding(Severity.NOTE, place, message)


RULES: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    report_refusals,
    check_duplicate_keys,
    check_keys,
    check_acknowledged,
    check_fallbacks,
    check_providers,
    check_modes,
    check_wildcards,
    check_values,
    check_repeated_models,
    check_aliases,
    check_variables,
    check_secrets,
    check_files,
    check_local_servers,
    check_role_permissions,
    check_package,
    check_model_names,
)
