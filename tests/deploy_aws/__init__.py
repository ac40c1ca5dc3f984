"""The CloudFormation templates of deploy/aws, and the scripts that a host at EC2 runs."""

from __future__ import annotations

import re
from typing import Any

import yaml

from tests import ROOT

AWS = ROOT / "deploy" / "aws"
HOST = AWS / "host"
TEMPLATES = ("tinygen", "tinygen-many")


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, read as their long forms."""


def _construct(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {"Ref" if suffix == "Ref" else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _construct)


def text_of(template: str) -> str:
    return (AWS / f"{template}.yaml").read_text()


def read_template(template: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.load(text_of(template), Loader=_Loader)
    return read


def resources_of(template: str, *types: str) -> dict[str, dict[str, Any]]:
    """By name; of all types where none is given."""
    found: dict[str, dict[str, Any]] = read_template(template)["Resources"]
    return {name: each for name, each in found.items() if not types or each["Type"] in types}


def user_data_of(template: str, **values: str) -> str:
    """As a host gets it; a reference without a value stands there as its own name."""
    (host,) = resources_of(template, "AWS::EC2::LaunchTemplate").values()
    written: str = host["Properties"]["LaunchTemplateData"]["UserData"]["Fn::Base64"]["Fn::Sub"][0]
    return re.sub(r"\$\{([A-Za-z:.]+)\}", lambda found: values.get(found[1], found[1]), written)
