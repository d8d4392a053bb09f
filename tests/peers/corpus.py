"""A corpus of OCPP 1.6 payloads, each judged by two independent schemas.

    corpus.py SCHEMAS_FOLDER > corpus.jsonl

For each of the 78 messages of the `ocpp` package on PyPI (ocpp/v16/schemas)
this builds valid documents and documents with exactly one fault, and lets both
that package's schema and ours (SCHEMAS_FOLDER/X.json, with its types.json)
judge each of them. What it proves: where `theirs` and `ours` agree on every
line, our schema accepts and refuses the same corpus as one written by others.
It does not try properties or enum values that only our schema knows.

Output: one JSON object per line (UTF-8), in the same order on every run:

    message   "AuthorizeRequest", "AuthorizeResponse"
    fault     "" for a valid document, else what is wrong and where (a JSON
              pointer; "/" is the payload itself), e.g. "missing /idTag"
    case      only where fault is "": what the valid document tries
    document  the payload
    theirs    whether PyPI's schema accepts it
    ours      whether our schema accepts it

Each schema is judged by the rules of the draft its $schema names, therefore
1.0 is an integer to draft 6 and later but not to draft 4. (The package itself
reads every file as draft 4.) Two rules are ours, and the same for both sides:
"date-time" is the only format checked, strictly by RFC 3339; and multipleOf is
reckoned in decimal, as the package does too, so that 8.1 is a multiple of 0.1.

Stderr gets one line: the number of documents and of verdicts that differ.
The exit code is 0 whatever the verdicts, 1 if a schema cannot be read.
"""

import importlib.util
import json
import re
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

from jsonschema import FormatChecker, ValidationError
from jsonschema.validators import extend, validator_for
from referencing import Registry, Resource

# For each type: values of every other one. null is a fault of its own.
WRONG_TYPE = {
    "string": [1, 1.5, True, {}, []],
    "integer": ["1", "", 1.5, True, {}, []],
    "number": ["1", "", True, {}, []],
    "boolean": ["true", 0, 1, {}, []],
    "object": ["x", 1, True, []], "array": ["x", 1, True, {}],
}
DATE_TIME = "2024-02-29T12:30:45Z"
GOOD_DATE_TIMES = """
2024-02-29T12:30:45.1Z     2024-02-29T12:30:45.123456789Z   2024-02-29T12:30:45+02:00
2024-02-29T12:30:45-05:30  2024-02-29T12:30:45.123+14:00    2024-02-29T12:30:45-00:00
""".split()
BAD_DATE_TIMES = """
2024-02-29T12:30:45   2024-02-29T12:30:45.123  2024-02-29T12:30:45+0200  2024-02-29T12:30Z
2024-02-29            20240229T123045Z         2024-02-29T12:30:45.Z     soon
2024-13-01T12:30:45Z  2023-02-29T12:30:45Z     2024-02-29T24:00:00Z      2024-02-29T12:60:00Z
""".split() + ["2024-02-29 12:30:45Z", " " + DATE_TIME, DATE_TIME + "\n", ""]
SCALARS = {"string": "abc", "date-time": DATE_TIME, "integer": 1, "number": 8.1, "boolean": True}
INTEGERS = [0, -1, -(2**31), 2**31 - 1, 2**31, 2**53, -(2**53)]
NUMBERS = [8.1, 8, 8.0, 0, -8.1, 0.1, 0.3, 0.7, 1000000.1, 2**53]
NOT_MULTIPLES = [8.15, 0.05, -0.01, 8.1000001]
# One byte, three bytes and four bytes (a surrogate pair in UTF-16) a character.
ALPHABETS = {"ASCII": "x", "CJK": "充", "astral": "🔌"}

RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)"
    r"(\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
)
FORMATS = FormatChecker(formats=())


@FORMATS.checks("date-time", raises=ValueError)
def is_date_time(value):
    found = isinstance(value, str) and RFC3339.fullmatch(value)
    return not isinstance(value, str) or bool(found and date(*map(int, found.group(1, 2, 3))))


def multiple_of(validator, factor, value, _schema):
    if validator.is_type(value, "number") and Decimal(str(value)) % Decimal(str(factor)):
        yield ValidationError(f"{value!r} is not a multiple of {factor!r}")


def read(path):
    return json.loads(path.read_text(encoding="utf-8-sig"))


def validator(schema, registry):
    validator_for(schema).check_schema(schema)
    cls = extend(validator_for(schema), {"multipleOf": multiple_of})
    return cls(schema, registry=registry, format_checker=FORMATS)


class Maker:
    """Makes the documents of one message, out of PyPI's schema for it."""

    def __init__(self, root):
        self.root = root

    def follow(self, schema):
        while "$ref" in schema:
            schema = self.root["definitions"][schema["$ref"].removeprefix("#/definitions/")]
        return schema

    def sample(self, schema, full, items=1):
        """A valid value: all properties if full, else the required ones."""
        schema = self.follow(schema)
        kind = "date-time" if schema.get("format") == "date-time" else schema["type"]
        if kind == "array":
            return [self.sample(schema["items"], full, items) for _ in range(items)]
        if kind != "object":
            return schema["enum"][0] if "enum" in schema else SCALARS[kind]
        wanted = schema.get("properties", {}) if full else schema.get("required", [])
        return {name: self.sample(schema["properties"][name], full, items) for name in wanted}

    def optionals(self, schema, path=""):
        """Minimal values, each with one optional property in addition."""
        schema = self.follow(schema)
        if schema["type"] == "array":
            for where, value in self.optionals(schema["items"], path + "/0"):
                yield where, [value]
        for name, inner in schema.get("properties", {}).items():
            least, where = self.sample(schema, False), f"{path}/{name}"
            if name not in least:
                yield where, {**least, name: self.sample(inner, False)}
            for deeper, value in self.optionals(inner, where):
                yield deeper, {**least, name: value}

    def variants(self, schema, value, path=""):
        """Variants of a full value as (is a fault, what, variant), at every depth."""
        schema, at = self.follow(schema), path or "/"
        kind, enum, longest = schema["type"], schema.get("enum"), schema.get("maxLength")
        for wrong in WRONG_TYPE[kind]:
            yield True, f"type {at} {json.dumps(wrong)}", wrong
        yield True, f"null {at}", None
        if enum:
            for item in enum:
                yield False, f"enum {at} {item}", item
            cases = [enum[0].lower(), enum[0].upper(), enum[0].swapcase()]
            for wrong in [*cases, "Bogus", "", enum[0] + " "]:
                if wrong not in enum:
                    yield True, f"not in enum {at} {json.dumps(wrong)}", wrong
        elif schema.get("format") == "date-time":
            for item in GOOD_DATE_TIMES:
                yield False, f"date-time {at} {item}", item
            for item in BAD_DATE_TIMES:
                yield True, f"date-time {at} {json.dumps(item)}", item
        elif kind == "string":
            yield False, f"empty string {at}", ""
            size = longest or 600
            for name, letter in ALPHABETS.items():
                yield False, f"{name} string of {size} {at}", letter * size
                if longest:
                    yield True, f"{name} string of {size + 1} {at}", letter * (size + 1)
        elif kind == "integer":
            for item in INTEGERS:
                yield False, f"integer {at} {item}", item
            yield True, f"integer written 1.0 {at}", 1.0
        elif kind == "number":
            for item in NUMBERS:
                yield False, f"number {at} {item}", item
            for item in NOT_MULTIPLES:
                yield "multipleOf" in schema, f"multipleOf {at} {item}", item
        elif kind == "array":
            yield schema.get("minItems", 0) > 0, f"empty list {at}", []
            if "maxItems" in schema:
                yield True, f"too many items {at}", value[:1] * (schema["maxItems"] + 1)
            for fault, what, item in self.variants(schema["items"], value[0], path + "/0"):
                yield fault, what, [item]
        elif kind == "object":
            yield schema.get("additionalProperties") is False, f"extra {at}", {**value, "bogus": 1}
            for name, inner in schema.get("properties", {}).items():
                without = {key: item for key, item in value.items() if key != name}
                needed = name in schema.get("required", [])
                yield needed, f"{'missing' if needed else 'all but'} {path}/{name}", without
                for fault, what, item in self.variants(inner, value[name], f"{path}/{name}"):
                    yield fault, what, {**value, name: item}

    def documents(self):
        full = self.sample(self.root, True)
        yield False, "minimal", self.sample(self.root, False)
        yield False, "full", full
        yield False, "full, two items", self.sample(self.root, True, 2)
        for where, document in self.optionals(self.root):
            yield False, f"optional alone {where}", document
        yield from self.variants(self.root, full)


def main(folder):
    package = Path(importlib.util.find_spec("ocpp").origin).parent
    types = Resource.from_contents(read(folder / "types.json"))
    registry = Registry().with_resource("types.json", types)
    count = differ = 0
    for path in sorted((package / "v16" / "schemas").glob("*.json")):
        root = read(path)
        theirs = validator(root, Registry())
        ours = validator(read(folder / path.name), registry)
        message = path.stem + ("" if path.stem.endswith("Response") else "Request")
        documents = {}  # each text once: where nothing is optional, full is minimal
        for fault, what, document in Maker(root).documents():
            documents.setdefault(json.dumps(document), (fault, what, document))
        for fault, what, document in documents.values():
            verdicts = {"theirs": theirs.is_valid(document), "ours": ours.is_valid(document)}
            label = {"fault": what} if fault else {"fault": "", "case": what}
            line = {"message": message, **label, "document": document, **verdicts}
            print(json.dumps(line, ensure_ascii=False))
            count += 1
            differ += verdicts["theirs"] != verdicts["ours"]
    print(f"{count} documents, {differ} verdicts differ", file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: corpus.py SCHEMAS_FOLDER")
    sys.stdout.reconfigure(encoding="utf-8")
    main(Path(sys.argv[1]))
