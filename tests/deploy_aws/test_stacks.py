"""Both stacks, created in moto, a stand-in for AWS within this process."""

from __future__ import annotations

import base64
import importlib
import warnings
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import absent
from tests.deploy_aws import TEMPLATES, resources_of, text_of

REGION = "eu-central-1"
IMAGE = "ami-12c6146b"
DATABASE_SECRET = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:database"
UNKNOWN_TO_MOTO = {
    "AWS::CloudWatch::Alarm",
    "AWS::DLM::LifecyclePolicy",
    "AWS::SecretsManager::Secret",
}
FOR_MOTO = (
    # it knows no parameters of Debian's
    ("/aws/service/debian/release/12/latest/arm64", "/image"),
    # nor what these refer to
    ("!Ref DatabaseParameters", "default.postgres17"),
    ("!GetAtt PostgreSql.MasterUserSecret.SecretArn", DATABASE_SECRET),
    ('!Sub "${PostgreSql.Endpoint.Address}:${PostgreSql.Endpoint.Port}"', "db.example.com:5432"),
)
NOT_ASKED_FOR = {"OwnRecord", "OwnSettings"}
"""Conditions that the parameters here do not fulfil."""


@dataclass(frozen=True)
class Made:
    types: dict[str, str]
    """Of the resources that were made, by name."""
    refused: set[str]
    """Types that moto does not know."""
    user_data: str
    outputs: dict[str, str]


def service(name: str) -> Any:
    return importlib.import_module("boto3").client(name, region_name=REGION)


def create(template: str) -> Made:
    text = text_of(template)
    for ours, theirs in FOR_MOTO:
        text = text.replace(ours, theirs)
    service("ssm").put_parameter(Name="/image", Type="String", Value=IMAGE)
    settings = service("secretsmanager").create_secret(Name=f"{template}-settings")["ARN"]
    parameters = {
        "Domain": "bot.example.com",
        "Email": "you@example.com",
        "Repository": "https://git.example.com/tinygen.git",
        "Version": "v1.2.3",
        "ExistingSettings": settings,
    }
    if template == "tinygen-many":
        certificate = service("acm").request_certificate(DomainName="bot.example.com")
        parameters["Certificate"] = certificate["CertificateArn"]
    formation = service("cloudformation")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        formation.create_stack(
            StackName=template,
            TemplateBody=text,
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
            ],
            Capabilities=["CAPABILITY_IAM"],
        )
        (stack,) = formation.describe_stacks(StackName=template)["Stacks"]
        made = formation.describe_stack_resources(StackName=template)["StackResources"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    said = [str(each.message) for each in caught]
    (launch,) = service("ec2").describe_launch_templates()["LaunchTemplates"]
    (version,) = service("ec2").describe_launch_template_versions(
        LaunchTemplateId=launch["LaunchTemplateId"]
    )["LaunchTemplateVersions"]
    user_data = base64.b64decode(version["LaunchTemplateData"]["UserData"]).decode()
    return Made(
        {
            each["LogicalResourceId"]: each["ResourceType"]
            for each in made
            if "ResourceType" in each
        },
        {line.split()[3] for line in said if line.startswith("Tried to parse ")},
        user_data,
        {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]},
    )


@pytest.mark.slow
def test_moto_makes_of_both_templates_every_resource_that_it_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One test for both: what costs is to load moto."""
    try:
        mock_aws = importlib.import_module("moto").mock_aws
    except ModuleNotFoundError:
        absent("moto", "make install-dev")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    for template in TEMPLATES:
        with mock_aws():
            made = create(template)
        assert made.refused <= UNKNOWN_TO_MOTO
        assert made.types == {
            name: each["Type"]
            for name, each in resources_of(template).items()
            if each["Type"] not in UNKNOWN_TO_MOTO and each.get("Condition") not in NOT_ASKED_FOR
        }
        assert made.outputs["Url"] == "https://bot.example.com"
        assert "${" not in made.user_data
        assert f"SETTINGS_SECRET='arn:aws:secretsmanager:{REGION}:" in made.user_data
