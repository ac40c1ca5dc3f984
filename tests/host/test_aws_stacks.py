"""Both stacks of deploy/aws, made in moto, which has an environment of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT
from tests.deploy_aws import TEMPLATES, resources_of
from tests.deploy_aws.make_stack import REGION

UNKNOWN_TO_MOTO = {
    "AWS::CloudWatch::Alarm",
    "AWS::DLM::LifecyclePolicy",
    "AWS::SecretsManager::Secret",
}
NOT_ASKED_FOR = {"OwnRecord", "OwnSettings"}
"""Conditions that the parameters there do not fulfil."""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("moto")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes"]
    subprocess.run([*pip, "-r", str(ROOT / "requirements-aws.txt")], check=True)
    return python


@pytest.mark.parametrize("template", TEMPLATES)
def test_moto_makes_every_resource_that_it_knows(python: Path, template: str) -> None:
    ran = subprocess.run(
        [python, "-m", "tests.deploy_aws.make_stack", template],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    made: dict[str, Any] = json.loads(ran.stdout)
    assert set(made["refused"]) <= UNKNOWN_TO_MOTO
    assert made["types"] == {
        name: each["Type"]
        for name, each in resources_of(template).items()
        if each["Type"] not in UNKNOWN_TO_MOTO and each.get("Condition") not in NOT_ASKED_FOR
    }
    assert made["outputs"]["Url"] == "https://bot.example.com"
    assert "${" not in made["user_data"]
    assert f"SETTINGS_SECRET='arn:aws:secretsmanager:{REGION}:" in made["user_data"]
