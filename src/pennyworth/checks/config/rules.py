"""What a check looks for: a table of rules, each a function from the facts to findings."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from pennyworth.checks.config import catalogue
from pennyworth.checks.config.facts import REFERENCE, Entry, Facts, dotted, references, texts
from pennyworth.checks.config.lines import Place
from pennyworth.checks.config.needs import needs, uses_role
from pennyworth.checks.config.report import Finding, Severity
from pennyworth.gateway.config import SECRET_WORDS, Deployment
from pennyworth.gateway.errors import ApiError
from pennyworth.gateway.lanes.direct import PARAMETERS

# LiteLLM's router and proxy read these; the SDK, which is what the LiteLLM lane uses, does not.
_ROUTERS_OWN = frozenset(
    ["cooldown_time", "max_parallel_requests", "max_retries", "num_retries", "order", "rpm", "tags", "tpm"]
)
_ENTRY = frozenset(["model_name", "litellm_params", "model_info"])

# What a secret looks like, wherever it stands: https://docs.github.com/code-security/secret-scanning has many more.
_SECRET = re.compile(
    r"sk-[\w-]{16,}|AKIA[0-9A-Z]{16}|AIza[\w-]{30,}|gsk_\w{20,}|xai-\w{20,}|gh[pousr]_\w{30,}|-----BEGIN [A-Z ]*PRIVATE"
    r"|\w+://[^/\s:@]+:[^/\s@]+@"
)
_PLACEHOLDER = re.compile(
    r"(?i)-*|x+|none|null|empty|dummy|fake|any(thing)?|no[-_ ]?key.*|not[-_ ]?(needed|required|used)"
)
# whose names sound like a secret's and are none
_HARMLESS = frozenset(["prompt_cache_key", "aws_session_name", "tokenizer", "custom_tokenizer", "max_tokens"])
_SHORTEST_SECRET = 6

_HERE = re.compile(r"localhost|127\.[\d.]+|::1|0\.0\.0\.0|host\.docker\.internal|[\w.-]+\.localhost")

# their models' names are their users' own, or stand in the price table with what leads to them
_NAMED_OTHERWISE = ("azure", "bedrock", "sagemaker")

_LITELLM_LEAST_MIB = 512
_HOW_TO_SET = "Set it in PROVIDER_CREDENTIALS, one NAME=value a line, or in the stack's Parameter Store"


def refusals(facts: Facts) -> Iterator[Finding]:
    """What the gateway itself objects to."""
    for error in facts.refusals:
        # the gateway's message names the place, which a finding has already
        text, setting = str(error), f"{error.path[-1]}: "
        message = text.partition(setting)[2] if setting in text else text.partition(": ")[2]
        yield facts.finding(Severity.ERROR, error.path, message)


def doubled_keys(facts: Facts) -> Iterator[Finding]:
    for place, before, line in facts.lines.doubled():
        message = f"stands on line {before} already, and only the last one counts. Remove one of them"
        yield Finding(Severity.WARNING, line, dotted(place), message)


def ignored_settings(facts: Facts) -> Iterator[Finding]:
    for setting in facts.config.ignored:
        section, _, name = setting.rpartition(".")
        place: Place = (section, name) if section else (name,)
        yield facts.finding(Severity.WARNING, place, "has no effect here: the gateway does not know it")
    for entry in facts.entries:
        for name in sorted(entry.raw.keys() - _ENTRY, key=str):
            yield facts.finding(Severity.WARNING, (*entry.place, str(name)), "has no effect here")
        for name in sorted(unheeded(entry)):
            meant = catalogue.nearest(name, PARAMETERS)
            hint = f". Is {meant} meant?" if meant and entry.deployment.lane == "direct" else ""
            place = (*entry.place, "litellm_params", name)
            lane = f"on the {entry.deployment.lane} lane"
            yield facts.finding(Severity.WARNING, place, f"has no effect here, {lane}{hint}")


def unheeded(entry: Entry) -> set[str]:
    """What stands in an entry's litellm_params and has no effect."""
    given = {str(name) for name in entry.params}
    return given - PARAMETERS if entry.deployment.lane == "direct" else given & _ROUTERS_OWN


def unknown_providers(facts: Facts) -> Iterator[Finding]:
    for entry in facts.entries:
        provider = entry.deployment.provider
        if not provider or catalogue.known(provider):
            continue
        if entry.deployment.lane == "direct" and _base(entry):
            continue  # forced there, and told where that is
        meant = catalogue.nearest_provider(provider)
        hint = (
            f"Is '{meant}' meant?"
            if meant
            else ("For a server that speaks OpenAI's API, write openai/MODEL and its api_base")
        )
        place = (*entry.place, "litellm_params", "model")
        yield facts.finding(Severity.ERROR, place, f"LiteLLM knows no provider '{provider}'. {hint}")


def wildcards(facts: Facts) -> Iterator[Finding]:
    for entry in facts.entries:
        name, model = entry.deployment.name, str(entry.params["model"])
        if name.count("*") > 1:
            message = f"only the first * of '{name}' stands for anything, so no model's name ever matches it"
            yield facts.finding(Severity.WARNING, (*entry.place, "model_name"), message)
        elif "*" in model and "*" not in name:
            message = (
                f"'{model}' holds a * and the model_name '{name}' does not: the provider would be asked for a model"
                f" named '*'. Write a * in both, or a model's name here"
            )
            yield facts.finding(Severity.ERROR, (*entry.place, "litellm_params", "model"), message)
    for alias in facts.config.aliases:
        if "*" in alias:
            place = ("router_settings", "model_group_alias", alias)
            yield facts.finding(
                Severity.WARNING, place, "an alias is one name: its * matches nothing but itself"
            )


def repeated_models(facts: Facts) -> Iterator[Finding]:
    groups: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in facts.entries:
        groups[entry.deployment.name].append(entry)
    for name, (first, *others) in groups.items():
        for entry in others:
            same = [e for e in (first, *others) if e.place < entry.place and e.params == entry.params]
            line = facts.lines.of((same[0] if same else first).place)
            if same:
                message = f"'{name}' stands on line {line} with the very same parameters already. Remove one of them"
            else:
                message = f"'{name}' stands on line {line} as well: the entries share its requests at random"
            severity = Severity.WARNING if same else Severity.NOTE
            yield facts.finding(severity, (*entry.place, "model_name"), message)


def aliases(facts: Facts) -> Iterator[Finding]:
    names = {entry.deployment.name for entry in facts.entries}
    written = {
        name for place, name in texts(facts.document.get("model_list"), ()) if place[1:] == ("model_name",)
    }
    for alias, target in facts.config.aliases.items():
        place = ("router_settings", "model_group_alias", alias)
        try:
            facts.config.resolve(alias)
        except ApiError:
            if target in written:
                continue  # for another reason, which is told
            yield facts.finding(Severity.ERROR, place, f"there is no model '{target}' in model_list")
        if alias in names:
            yield facts.finding(Severity.WARNING, place, f"hides the model of that name: '{target}' answers")


def missing_variables(facts: Facts) -> Iterator[Finding]:
    """Each variable once, with what lacks it."""
    lacking: defaultdict[tuple[str, ...], list[tuple[Place, str]]] = defaultdict(list)
    for entry in facts.entries:
        user = f"the model '{entry.deployment.name}'"
        for place, variable in references(entry.params, (*entry.place, "litellm_params")):
            if variable not in facts.environ:
                lacking[(variable,)].append((place, user))
        for need in needs(entry.deployment, facts.environ):
            if not need.met:
                lacking[need.variables].append((entry.place, f"{user}, as its provider's {need.purpose}"))
    for section in ("environment_variables", "general_settings"):
        for place, variable in references(facts.document.get(section), (section,)):
            if dotted(place) not in facts.config.ignored and variable not in facts.environ:
                lacking[(variable,)].append((place, dotted(place)))
    for variables, users in lacking.items():
        unset = (
            f"{variables[0]} is not set" if len(variables) == 1 else f"none of {', '.join(variables)} is set"
        )
        more = f" (and {len(users) - 1} more)" if len(users) > 1 else ""
        message = f"{unset}; needed by {users[0][1]}{more}. {_HOW_TO_SET}"
        yield facts.finding(Severity.WARNING, users[0][0], message)


def written_secrets(facts: Facts) -> Iterator[Finding]:
    for place, text in texts(facts.document, ()):
        name = str(place[-1]).lower()
        sounds = name not in _HARMLESS and any(word in dotted(place[-2:]).lower() for word in SECRET_WORDS)
        hidden = sounds and len(text) >= _SHORTEST_SECRET and not text.isdigit()
        if text.startswith(REFERENCE) or _PLACEHOLDER.fullmatch(text) or not (hidden or _SECRET.search(text)):
            continue
        message = (
            "a secret stands here in plain text, and this file goes into the repository and the package. Write"
            f" {REFERENCE}NAME in its place, and NAME=value into PROVIDER_CREDENTIALS. If it was pushed, revoke it"
        )
        yield facts.finding(Severity.WARNING, place, message)


def servers_of_ones_own(facts: Facts) -> Iterator[Finding]:
    """Addresses that lead to the machine that asks, which in Lambda holds nothing but the gateway."""
    for entry in facts.entries:
        base = _base(entry) or _default_base(entry.deployment)
        host = urlsplit(base).hostname or ""
        if _HERE.fullmatch(host):
            key = "api_base" if "api_base" in entry.params else "model"
            message = f"its server is looked for at {host}, and in Lambda nothing but the gateway is there"
            yield facts.finding(Severity.WARNING, (*entry.place, "litellm_params", key), message)


def _base(entry: Entry) -> str:
    params = entry.deployment.params
    return str(params.get("api_base") or params.get("base_url") or "")


def _default_base(deployment: Deployment) -> str:
    return (
        (deployment.endpoint().base_url or "") if deployment.lane == "direct" and deployment.provider else ""
    )


def role_rights(facts: Facts) -> Iterator[Finding]:
    for entry in facts.entries:
        deployment, place = entry.deployment, (*entry.place, "litellm_params", "model")
        if asks_for_bedrock(deployment, facts):
            if not facts.stack.allows_bedrock():
                message = (
                    "Bedrock opens by the function's own role, which may call it only where the stack parameter"
                    " BedrockAccess is yes"
                )
                yield facts.finding(Severity.WARNING, place, message)
        elif uses_role(deployment) and "AWS_BEARER_TOKEN_BEDROCK" not in facts.environ:
            message = (
                f"the function's own role may not call {deployment.provider}: give the model credentials"
            )
            yield facts.finding(Severity.WARNING, place, message)
        elif "aws_role_name" in entry.params:
            where = (*entry.place, "litellm_params", "aws_role_name")
            message = "the function's own role may not assume another, unless you let it"
            yield facts.finding(Severity.WARNING, where, message)


def asks_for_bedrock(deployment: Deployment, facts: Facts) -> bool:
    """Whether a model calls Bedrock by the function's role."""
    own_key = bool(facts.environ.get("AWS_BEARER_TOKEN_BEDROCK"))
    return deployment.provider.startswith("bedrock") and uses_role(deployment) and not own_key


def package(facts: Facts) -> Iterator[Finding]:
    through = [entry for entry in facts.entries if entry.deployment.lane == "litellm"]
    if not through:
        return
    place = (*through[0].place, "litellm_params", "model")
    names = f"'{through[0].deployment.name}'" + (f" and {len(through) - 1} more" if len(through) > 1 else "")
    if facts.stack.litellm == "no":
        message = f"LITELLM_LANE is no, and {names} can't answer without LiteLLM"
        yield facts.finding(Severity.WARNING, place, message)
    if facts.stack.get("PythonRuntime") == "python3.11":
        message = f"{names} needs LiteLLM, which Lambda's python3.11 is too old a system for. Take python3.13"
        yield facts.finding(Severity.ERROR, place, message)
    memory = facts.stack.get("MemorySize")
    if memory.isdigit() and int(memory) < _LITELLM_LEAST_MIB:
        message = (
            f"{names} needs LiteLLM, and that {_LITELLM_LEAST_MIB} MiB of memory: MemorySize is {memory}"
        )
        yield facts.finding(Severity.WARNING, place, message)


def misspelt_models(facts: Facts) -> Iterator[Finding]:
    """Names that LiteLLM's price table has almost, but not quite. Only where LiteLLM is installed."""
    table = catalogue.priced_models()
    for entry in facts.entries:
        deployment = entry.deployment
        priced = table.get(deployment.provider, frozenset())
        model = deployment.model
        if (
            "*" in model
            or model in priced
            or _base(entry)
            or deployment.provider.startswith(_NAMED_OTHERWISE)
        ):
            continue
        if meant := catalogue.nearest(model, priced):
            place = (*entry.place, "litellm_params", "model")
            message = f"LiteLLM's price table has no '{model}' of {deployment.provider}; it has '{meant}'"
            yield facts.finding(Severity.NOTE, place, message)


RULES: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    refusals,
    doubled_keys,
    ignored_settings,
    unknown_providers,
    wildcards,
    repeated_models,
    aliases,
    missing_variables,
    written_secrets,
    servers_of_ones_own,
    role_rights,
    package,
    misspelt_models,
)
