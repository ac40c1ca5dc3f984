"""What the stacks promise, read from the templates."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.config import Config
from tests.conftest import absent
from tests.deploy_aws import (
    AWS,
    HOST,
    TEMPLATES,
    read_template,
    resources_of,
    text_of,
    user_data_of,
)

UNBOUND = {
    "cloudwatch:PutMetricData",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
    "ec2messages:AcknowledgeMessage",
    "ec2messages:DeleteMessage",
    "ec2messages:FailMessage",
    "ec2messages:GetEndpoint",
    "ec2messages:GetMessages",
    "ec2messages:SendReply",
}
"""What IAM cannot bind to a resource: https://docs.aws.amazon.com/service-authorization/latest/reference/"""

CFN_LINT = "import sys; from cfnlint.runner import main; sys.exit(main())"
LARGEST_USER_DATA = 16 * 1024
"""https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html"""

both = pytest.mark.parametrize("template", TEMPLATES)


def within(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in `value`."""
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from within(each)
    elif isinstance(value, list):
        for each in value:
            yield from within(each)


def statements(template: str) -> list[dict[str, Any]]:
    """Of all roles; those that have a condition of the stack's, too."""
    return [
        each
        for role in resources_of(template, "AWS::IAM::Role").values()
        for policy in role["Properties"].get("Policies", ())
        for each in within(policy)
        if "Action" in each
    ]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.mark.slow
def test_cfn_lint_finds_nothing() -> None:
    found = subprocess.run(
        [sys.executable, "-c", CFN_LINT, *map(str, sorted(AWS.glob("*.yaml")))],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "No module named cfnlint" in found.stderr:
        absent("cfn-lint", "make install-dev")
    assert (found.returncode, found.stdout) == (0, "")


@both
def test_a_template_holds_no_secret_and_asks_for_none(template: str) -> None:
    read = read_template(template)
    assert not [name for name, each in read["Parameters"].items() if "NoEcho" in each]
    for secret in resources_of(template, "AWS::SecretsManager::Secret").values():
        assert set(secret["Properties"]) == {"Description", "Tags"}
    passwords = {
        (key, value)
        for each in within(read["Resources"])
        for key, value in each.items()
        if "password" in key.lower() and not isinstance(value, dict)
    }
    assert passwords <= {("ManageMasterUserPassword", True)}
    assert "resolve:secretsmanager" not in text_of(template)
    secret_settings = {
        str(field.alias)
        for field in Config.model_fields.values()
        if re.search(r"KEY|SECRET|TOKEN|PASSWORD", str(field.alias))
    }
    assert "GITHUB_PRIVATE_KEY" in secret_settings
    assert not [name for name in secret_settings if name in text_of(template)]


@both
def test_the_metadata_service_takes_tokens_alone_and_answers_one_hop(template: str) -> None:
    (host,) = resources_of(template, "AWS::EC2::LaunchTemplate").values()
    options = host["Properties"]["LaunchTemplateData"]["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 1)


@both
def test_every_disk_is_encrypted(template: str) -> None:
    resources = resources_of(template)
    disks = [each for each in within(resources) if "VolumeType" in each]
    databases = [
        each["Properties"] for each in resources_of(template, "AWS::RDS::DBInstance").values()
    ]
    assert len(disks) + len(databases) == 2
    assert all(disk["Encrypted"] is True for disk in disks)
    assert all(database["StorageEncrypted"] is True for database in databases)


@both
def test_the_world_reaches_two_ports_and_no_shell(template: str) -> None:
    rules = [
        rule
        for group in resources_of(template, "AWS::EC2::SecurityGroup").values()
        for rule in group["Properties"]["SecurityGroupIngress"]
    ]
    assert {
        (rule["FromPort"], rule["ToPort"]) for rule in rules if rule.get("CidrIp") == "0.0.0.0/0"
    } == {(80, 80), (443, 443)}
    assert all("CidrIp" in rule or "SourceSecurityGroupId" in rule for rule in rules)
    assert not [rule for rule in rules if rule["FromPort"] <= 22 <= rule["ToPort"]]


@both
def test_a_right_is_for_all_resources_only_where_iam_knows_no_other(template: str) -> None:
    for statement in statements(template):
        actions = set(listed(statement["Action"]))
        assert not [action for action in actions if "*" in action]
        if "*" in listed(statement["Resource"]):
            assert actions <= UNBOUND
    unbound = [each for each in statements(template) if "*" in listed(each["Resource"])]
    metrics = [each for each in unbound if each["Action"] == "cloudwatch:PutMetricData"]
    assert [each["Condition"] for each in metrics] == [
        {"StringEquals": {"cloudwatch:namespace": "TinyGen"}}
    ]


@both
def test_a_host_has_no_managed_policy(template: str) -> None:
    host = resources_of(template)["HostRole"]["Properties"]
    assert "ManagedPolicyArns" not in host


def test_the_host_attaches_and_addresses_what_bears_the_stacks_tag_alone() -> None:
    (statement,) = (
        each for each in statements("tinygen") if "ec2:AttachVolume" in listed(each["Action"])
    )
    assert statement["Condition"] == {
        "StringEquals": {"aws:ResourceTag/TinyGenStack": {"Ref": "AWS::StackName"}}
    }
    data = resources_of("tinygen")["HostTemplate"]["Properties"]["LaunchTemplateData"]
    tagged = {
        each["ResourceType"]: {tag["Key"] for tag in each["Tags"]}
        for each in data["TagSpecifications"]
    }
    assert "TinyGenStack" in tagged["instance"] & tagged["network-interface"]
    for name in ("DataVolume", "Address"):
        tags = resources_of("tinygen")[name]["Properties"]["Tags"]
        assert "TinyGenStack" in {tag["Key"] for tag in tags}


@both
def test_what_cannot_be_made_again_survives_the_stack(template: str) -> None:
    policies = {
        name: (each.get("DeletionPolicy"), each.get("UpdateReplacePolicy"))
        for name, each in resources_of(
            template, "AWS::EC2::Volume", "AWS::RDS::DBInstance", "AWS::SecretsManager::Secret"
        ).items()
    }
    store = "DataVolume" if template == "tinygen" else "PostgreSql"
    assert policies == {
        "Settings": ("RetainExceptOnCreate", "Retain"),
        store: ("Snapshot", "Snapshot"),
    }


def test_the_data_volume_is_saved_each_day_for_a_week() -> None:
    resources = resources_of("tinygen")
    policy = resources["Snapshots"]["Properties"]["PolicyDetails"]
    (schedule,) = policy["Schedules"]
    assert (schedule["CreateRule"]["Interval"], schedule["RetainRule"]["Count"]) == (24, 7)
    (target,) = policy["TargetTags"]
    assert target in resources["DataVolume"]["Properties"]["Tags"]


def test_the_volume_is_at_one_host_at_a_time() -> None:
    host = resources_of("tinygen")["Host"]
    assert host["Properties"]["MaxSize"] == "1"
    assert host["UpdatePolicy"]["AutoScalingRollingUpdate"]["MinInstancesInService"] == 0


@both
def test_a_stack_waits_for_the_word_of_its_hosts(template: str) -> None:
    (name, group), *_ = resources_of(template, "AWS::AutoScaling::AutoScalingGroup").items()
    assert "ResourceSignal" in group["CreationPolicy"]
    assert group["UpdatePolicy"]["AutoScalingRollingUpdate"]["WaitOnResourceSignals"] is True
    assert f"--logical-resource-id {name} " in text_of(template)


def test_the_database_takes_no_connection_without_tls_and_none_from_outside() -> None:
    resources = resources_of("tinygen-many")
    assert resources["DatabaseParameters"]["Properties"]["Parameters"]["rds.force_ssl"] == "1"
    database = resources["PostgreSql"]["Properties"]
    assert database["PubliclyAccessible"] is False
    assert database["BackupRetentionPeriod"] >= 7


def test_the_balancer_waits_longer_for_run_than_the_web_part_does() -> None:
    balancer = resources_of("tinygen-many")["Balancer"]["Properties"]
    attributes = {each["Key"]: each["Value"] for each in balancer["LoadBalancerAttributes"]}
    config = Config.model_validate({"GITHUB_WEBHOOK_SECRET": "0123456789abcdef"})
    assert int(attributes["idle_timeout.timeout_seconds"]) > config.run_wait_s


@both
def test_the_image_is_debians_own(template: str) -> None:
    default = read_template(template)["Parameters"]["Image"]["Default"]
    assert re.fullmatch(r"/aws/service/debian/release/1[23]/latest/arm64", default)


@both
def test_user_data_is_a_short_script_without_a_secret(template: str, tmp_path: Path) -> None:
    script = user_data_of(template)
    assert len(script.encode()) < LARGEST_USER_DATA / 4
    assert "get-secret-value" not in script
    assert "password" not in script.lower()
    (tmp_path / "user-data").write_text(script)
    check_shell(tmp_path / "user-data")


def test_a_new_version_needs_a_new_host_only_where_there_are_several() -> None:
    one, many = (user_data_of(template) for template in TEMPLATES)
    # it would have no host for minutes; it reads the version from a parameter
    assert "'Version'" not in one
    assert "VERSION='Version'" in many


def check_shell(*scripts: Path) -> None:
    if shutil.which("shellcheck") is None:
        absent("shellcheck", "install shellcheck")
    found = subprocess.run(
        ["shellcheck", "--external-sources", *scripts],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert found.stdout == ""


@pytest.mark.slow
def test_shellcheck_finds_nothing_in_the_hosts_scripts() -> None:
    scripts = [
        path
        for path in HOST.iterdir()
        if path.is_file() and re.match(r"#!.*\b(ba)?sh\b", path.read_text().split("\n", 1)[0])
    ]
    assert len(scripts) >= 6
    check_shell(*scripts)


def test_the_cost_that_the_page_tells_adds_up() -> None:
    lines = (AWS / "README.md").read_text().splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if re.match(r"\|.*\d \|$", line)]
    for column in (1, 3):
        for row in rows:
            formula = row[column].replace("×", "*").replace(",", "")
            if re.fullmatch(r"[\d.+*() ]+", formula):
                assert f"{eval(formula):.2f}" == row[column + 1]
    assert len(rows) == 10
    sums = [sum(float(row[column]) for row in rows) for column in (2, 4)]
    assert f"| **{sums[0]:.2f}** | | **{sums[1]:.2f}** |" in lines[-3]
    alarms = [len(resources_of(template, "AWS::CloudWatch::Alarm")) for template in TEMPLATES]
    (row,) = (row for row in rows if row[0] == "alarms")
    assert [int(row[1].split()[0]), int(row[3].split()[0])] == alarms
