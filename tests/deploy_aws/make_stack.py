"""Makes one of the stacks in moto, a stand-in for AWS within this process: `python -m
tests.deploy_aws.make_stack TEMPLATE`, in an environment with moto (requirements-aws.txt). What was made
is printed as JSON."""

from __future__ import annotations

import base64
import importlib
import json
import os
import sys
import warnings
from dataclasses import asdict, dataclass
from typing import Any

from tests.deploy_aws import text_of

REGION = "eu-central-1"
IMAGE = "ami-12c6146b"
DATABASE_SECRET = f"arn:aws:secretsmanager:{REGION}:123456789012:secret:database"
FOR_MOTO = (
    # it knows no parameters of Debian's
    ("/aws/service/debian/release/12/latest/arm64", "/image"),
    # nor what these refer to
    ("!Ref DatabaseParameters", "default.postgres17"),
    ("!GetAtt PostgreSql.MasterUserSecret.SecretArn", DATABASE_SECRET),
    ('!Sub "${PostgreSql.Endpoint.Address}:${PostgreSql.Endpoint.Port}"', "db.example.com:5432"),
)


@dataclass(frozen=True)
class Made:
    types: dict[str, str]
    """Of the resources that were made, by name."""
    refused: list[str]
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
        sorted({line.split()[3] for line in said if line.startswith("Tried to parse ")}),
        user_data,
        {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]},
    )


if __name__ == "__main__":
    os.environ.update(AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none")
    with importlib.import_module("moto").mock_aws():
        print(json.dumps(asdict(create(sys.argv[1]))))
