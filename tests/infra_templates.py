"""What the two templates in infra/ say once their parameters are filled in, as plain values.

Only as much of CloudFormation's and Terraform's languages is understood as these two use; anything
else raises ValueError, so that nothing is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import hcl2
from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

__all__ = [
    "BUCKET",
    "BUCKET_ARN",
    "CLOUDFORMATION",
    "INFRA",
    "cloudformation",
    "parse_cloudformation",
    "terraform",
    "terraform_variables",
]

INFRA = Path(__file__).resolve().parent.parent / "infra"
CLOUDFORMATION = INFRA / "cloudformation.yaml"
BUCKET = "my-predictions"
BUCKET_ARN = f"arn:aws:s3:::{BUCKET}"

Values = Mapping[str, object]
_NOTHING = object()
_IN_TEXT = re.compile(r"\$\{([^}]+)\}")


# CloudFormation ----------------------------------------------------------------------------------


def parse_cloudformation() -> dict[str, Any]:
    """The template as it stands; "!Ref X" is {"Ref": X}, any other "!Name" {"Fn::Name": …}."""
    yaml = YAML(typ="safe", pure=True)
    yaml.constructor.add_multi_constructor("!", _tagged)
    found = yaml.load(CLOUDFORMATION.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def _tagged(constructor: Any, suffix: str, node: Any) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    match node:
        case ScalarNode():
            value: Any = constructor.construct_scalar(node)
            return {name: value.split(".") if suffix == "GetAtt" else value}
        case SequenceNode():
            return {name: constructor.construct_sequence(node, deep=True)}
        case MappingNode():
            return {name: constructor.construct_mapping(node, deep=True)}
    raise ValueError(f"not understood: {node}")


def cloudformation(**parameters: object) -> dict[str, dict[str, Any]]:
    """Properties of the resources that are made with these parameters, by their names there."""
    template = parse_cloudformation()
    known = {name: one.get("Default") for name, one in template["Parameters"].items()}
    unknown = parameters.keys() - known.keys()
    if unknown:
        raise ValueError(f"no such parameters: {unknown}")
    filled = {**known, "BucketName": BUCKET, **parameters}
    stack = _Stack(filled, template["Conditions"], template["Resources"])
    made = {
        name: one
        for name, one in template["Resources"].items()
        if "Condition" not in one or stack.holds(one["Condition"])
    }
    return {name: stack.resolved(one.get("Properties", {})) for name, one in made.items()}


class _Stack:
    def __init__(
        self, parameters: Values, conditions: Mapping[str, Any], resources: Collection[str]
    ) -> None:
        self._parameters = parameters
        self._conditions = conditions
        self._resources = resources
        self._arns = {
            "Bucket.Arn": BUCKET_ARN,
            "ExportBucket.Arn": f"arn:aws:s3:::{parameters['ExportBucketName']}",
        }

    def holds(self, name: str) -> bool:
        return bool(self.resolved(self._conditions[name]))

    def resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            found = [self.resolved(one) for one in value]
            return [one for one in found if one is not _NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, given)] = value.items()
            if name in ("Ref", "Condition") or name.startswith("Fn::"):
                return self._function(name, given)
        pairs = {name: self.resolved(one) for name, one in value.items()}
        return {name: one for name, one in pairs.items() if one is not _NOTHING}

    def _function(self, name: str, given: Any) -> Any:
        match name, given:
            case "Ref", "AWS::NoValue":
                return _NOTHING
            case "Ref", str():
                return self._parameters.get(given, f"<{given}>" if given != "Bucket" else BUCKET)
            case "Condition", str():
                return self.holds(given)
            case "Fn::GetAtt", [_, _]:
                return self._named(".".join(given))
            case "Fn::Sub", str():
                return _IN_TEXT.sub(lambda found: self._named(found[1]), given)
            case "Fn::If", [condition, yes, no]:
                return self.resolved(yes if self.holds(condition) else no)
            case "Fn::Equals", [left, right]:
                return self.resolved(left) == self.resolved(right)
            case "Fn::And", list():
                return all(self.resolved(one) for one in given)
            case "Fn::Not", [one]:
                return not self.resolved(one)
        raise ValueError(f"not understood: {name} {given}")

    def _named(self, name: str) -> str:
        if name in self._arns:
            return self._arns[name]
        if name.startswith("AWS::") or name.split(".")[0] in self._resources:
            return f"<{name}>"
        return str(self._parameters[name])


# Terraform ---------------------------------------------------------------------------------------


def parse_terraform(name: str) -> dict[str, Any]:
    """A file of infra/ as it stands; raises what hcl2 raises for what is no HCL."""
    found = hcl2.loads(
        (INFRA / name).read_text(encoding="utf-8"),
        serialization_options=hcl2.SerializationOptions(
            strip_string_quotes=True, with_comments=False, explicit_blocks=False
        ),
    )
    assert isinstance(found, dict)
    return found


def terraform_variables() -> dict[str, dict[str, Any]]:
    """Each variable's definition, by name."""
    return _labelled(parse_terraform("variables.tf")["variable"])


def terraform(**variables: object) -> dict[str, dict[str, Any]]:
    """What is made with these variables, by address ("data." before a document's)."""
    known = {name: one.get("default") for name, one in terraform_variables().items()}
    unknown = variables.keys() - known.keys()
    if unknown:
        raise ValueError(f"no such variables: {unknown}")
    plan = _Plan({**known, "bucket_name": BUCKET, **variables})
    made: dict[str, dict[str, Any]] = {}
    for parsed in (parse_terraform("main.tf"), parse_terraform("exports.tf")):
        for before, kind in (("", "resource"), ("data.", "data")):
            for block in parsed[kind]:
                for of, named in block.items():
                    for name, body in named.items():
                        found = plan.resolved(body)
                        if found.pop("count", 1):
                            made[f"{before}{of}.{name}"] = found
    return made


def _labelled(blocks: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: body for block in blocks for name, body in block.items()}


class _Plan:
    _CHOICE = re.compile(r'([^?]+)\?\s*("[^"]*"|\S+)\s*:\s*("[^"]*"|\S+)')
    _COMPARED = re.compile(r'var\.(\w+)\s*(==|!=)\s*"([^"]*)"')

    def __init__(self, variables: Values) -> None:
        self._variables = variables

    def resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.resolved(one) for one in value]
        if isinstance(value, dict):
            own = {name: self.resolved(one) for name, one in value.items() if name != "dynamic"}
            for dynamic in value.get("dynamic", ()):
                [(name, body)] = dynamic.items()
                own.setdefault(name, []).extend(self._repeated(name, body))
            return own
        if not isinstance(value, str):
            return value
        whole = _IN_TEXT.fullmatch(value)
        if whole is not None:
            return self._expression(whole[1].strip())
        return _IN_TEXT.sub(lambda found: str(self._expression(found[1].strip())), value)

    def _repeated(self, name: str, body: dict[str, Any]) -> list[Any]:
        match = re.fullmatch(r"\$\{(.+) \? \[\] : \[var\.(\w+)\]\}", body["for_each"])
        if match is None:
            raise ValueError(f"not understood: {body['for_each']}")
        if self._expression(match[1]):
            return []
        plan = _Plan({**self._variables, f"{name}.value": self._variables[match[2]]})
        return [plan.resolved(one) for one in body["content"]]

    def _expression(self, text: str) -> Any:
        if text in self._variables:
            return self._variables[text]
        if text.startswith("var.") and text[4:] in self._variables:
            return self._variables[text[4:]]
        if text == "null" or (text.startswith('"') and text.count('"') == 2):
            return None if text == "null" else text[1:-1]
        if text.isdigit():
            return int(text)
        choice = self._CHOICE.fullmatch(text)
        if choice is not None:
            return self._expression(choice[2 if self._expression(choice[1].strip()) else 3])
        if " && " in text:
            return all(self._expression(part.strip()) for part in text.split(" && "))
        compared = self._COMPARED.fullmatch(text)
        if compared is not None:
            return (self._variables[compared[1]] == compared[3]) is (compared[2] == "==")
        if text == "aws_s3_bucket.state.arn":
            return BUCKET_ARN
        if text == "aws_s3_bucket.exports[0].arn":
            return f"arn:aws:s3:::{self._variables['export_bucket_name']}"
        if text == "aws_s3_bucket.state.id":
            return BUCKET
        if re.fullmatch(r"(data\.)?aws_\w+\.\w+(\[0\])?(\.\w+)?", text):
            return f"<{text}>"
        raise ValueError(f"not understood: {text}")
