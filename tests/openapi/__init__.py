"""GitHub's own description of its API, and whether what was said to it, and answered, is as described.

The npm package @octokit/openapi holds the description, OpenAPI 3.0. Stricter than OpenAPI itself: a field or a
parameter that is not described is a mistake, for GitHub silently ignores it.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator, ValidationError
from jsonschema.validators import extend
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from pennyworth.local.github import Exchange
from tests import npm

_GENERATED = Path("node_modules", "@octokit", "openapi", "generated")
_NAME = "api.github.com.json"
_REPOSITORY = re.compile(r"/repos/[^/]+/[^/]+")
_UNSAID = {401, 403, 404, 422}  # what any request may meet, said or not

Json = Mapping[str, Any]


class Description:
    """What GitHub says of its API."""

    def __init__(self, document: Json) -> None:
        """
        Args:
            document: OpenAPI's.
        """
        self._document = document
        resource = Resource.from_contents(document, default_specification=DRAFT4)
        self._registry: Registry[Any] = Registry().with_resource("urn:github", resource)

    def problems(self, exchange: Exchange) -> list[str]:
        """What is wrong with a request or its answer, each with its place; nothing where all is well."""
        request = exchange.request
        found = self._operation(request.method, request.path)
        if isinstance(found, str):
            return [found]
        path, operation = found
        return [
            f"{request.method} {path}: {problem}"
            for problem in (
                *self._query(operation, request.query),
                *self._body(operation, request.body, request.media_type),
                *self._answer(operation, exchange.status, exchange.answer),
            )
        ]

    def _operation(self, method: str, path: str) -> tuple[str, Json] | str:
        """The path as the description has it, and what is described; or what is wrong."""
        matching = [known for known in self._document["paths"] if _pattern(known).fullmatch(path)]
        if not matching:
            return f"{method} {_REPOSITORY.sub('/repos/{owner}/{repo}', path)}: GitHub knows no such path"
        # /releases/latest before /releases/{release_id}
        known = min(matching, key=lambda one: (one.count("{"), -len(one)))
        if method.lower() not in self._document["paths"][known]:
            return f"{method} {known}: GitHub knows no such method there"
        return known, self._document["paths"][known][method.lower()]

    def _query(self, operation: Json, query: Mapping[str, str]) -> Iterator[str]:
        described = {
            parameter["name"]: parameter
            for parameter in map(self._resolved, operation.get("parameters", ()))
            if parameter["in"] == "query"
        }
        for name, value in query.items():
            if name not in described:
                yield f"query.{name}: GitHub knows no such parameter"
                continue
            schema = described[name].get("schema", {})
            kind = self._resolved(schema).get("type")
            given: Any = value
            if kind == "integer" and value.isdecimal():
                given = int(value)
            elif kind == "boolean" and value in ("true", "false"):
                given = value == "true"
            yield from self._mistakes(schema, given, f"query.{name}")
        for name, parameter in described.items():
            if parameter.get("required") and name not in query:
                yield f"query.{name}: is missing"

    def _body(self, operation: Json, body: Any, media_type: str) -> Iterator[str]:
        described = self._resolved(operation.get("requestBody", {}))
        content = described.get("content", {})
        if body is None:
            if described.get("required"):
                yield "body: is missing"
        elif not content:
            yield "body: GitHub expects none"
        elif "application/json" not in content:
            if not isinstance(body, bytes) or not media_type:
                yield "body: GitHub expects a file and its media type"
        elif isinstance(body, bytes):
            yield f"body: is no JSON, or not said to be: {media_type or 'no media type'}"
        else:
            yield from self._mistakes(content["application/json"]["schema"], body, "body", strict=True)

    def _answer(self, operation: Json, status: int, answer: Any) -> Iterator[str]:
        described = operation["responses"].get(str(status))
        if described is None:
            if status not in _UNSAID:
                yield f"answer: GitHub never answers {status}"
            return
        content = self._resolved(described).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        if schema is None:
            if answer is not None and status < 400:
                yield f"answer: GitHub says nothing with {status}"
        elif answer is None:
            yield "answer: is missing"
        else:
            yield from self._mistakes(schema, answer, "answer")

    def _mistakes(self, schema: Json, value: Any, place: str, *, strict: bool = False) -> Iterator[str]:
        validator = (_STRICT if strict else _LENIENT)(self._absolute(schema), registry=self._registry)
        for error in validator.iter_errors(value):
            yield f"{_place(place, error)}: {error.message[:300]}"

    def _absolute(self, schema: Any) -> Any:
        """A schema whose references lead into the document from outside of it."""
        if isinstance(schema, dict):
            return {
                key: f"urn:github{value}" if key == "$ref" else self._absolute(value)
                for key, value in schema.items()
            }
        return [self._absolute(one) for one in schema] if isinstance(schema, list) else schema

    def _resolved(self, described: Json) -> Json:
        """What a reference leads to."""
        while "$ref" in described:
            found: Any = self._document
            for key in described["$ref"].removeprefix("#/").split("/"):
                found = found[key]
            described = found
        return described


@cache
def described() -> Description:
    """What GitHub says of its API today: the version that the lock names.

    Raises:
        EnvironmentUnavailable: it can't be had.
    """
    folder = npm.installed(Path(__file__).parent, _keep_one)
    return Description(json.loads((folder / _GENERATED / _NAME).read_text()))


def _keep_one(folder: Path) -> None:
    """Leave of the 400 MB the one description that is read."""
    generated = folder / _GENERATED
    kept = generated.with_name("kept")
    kept.mkdir()
    shutil.move(generated / _NAME, kept / _NAME)
    shutil.rmtree(generated)
    kept.rename(generated)


@cache
def _pattern(known: str) -> re.Pattern[str]:
    """The paths that the description's path stands for. A path's or a ref's part holds slashes."""
    parts = re.split(r"({\w+})", known)
    return re.compile(
        "".join(
            (".+" if part in ("{path}", "{ref}") else "[^/]+") if part.startswith("{") else re.escape(part)
            for part in parts
        )
    )


def _place(root: str, error: ValidationError) -> str:
    return root + "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path
    )


def _nullable(keyword: str) -> Any:
    """A keyword as OpenAPI 3.0 has it: null passes where the schema says `nullable`."""
    plain = Draft4Validator.VALIDATORS[keyword]

    def check(validator: Any, value: Any, instance: Any, schema: Json) -> Iterator[ValidationError]:
        if not (instance is None and schema.get("nullable")):
            yield from plain(validator, value, instance, schema) or ()

    return check


def _known(validator: Any, properties: Json, instance: Any, schema: Json) -> Iterator[ValidationError]:
    """The keyword `properties`, where a field that is not described is a mistake."""
    yield from Draft4Validator.VALIDATORS["properties"](validator, properties, instance, schema) or ()
    if isinstance(instance, dict) and "additionalProperties" not in schema:
        for name in instance.keys() - properties.keys():
            yield ValidationError("GitHub knows no such field", path=[name])


_KEYWORDS: Sequence[str] = ("type", "enum", "allOf", "anyOf", "oneOf", "$ref")
_LENIENT = extend(Draft4Validator, {keyword: _nullable(keyword) for keyword in _KEYWORDS})
_STRICT = extend(_LENIENT, {"properties": _known})
