"""Packages that a change imports and no manifest names."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bot.change.checks.manifests import find_undeclared
from tests.change.checks.names import found

PYTHON = {
    "pyproject.toml": '[project]\ndependencies = ["attrs>=1", "ruamel.yaml", "python-dateutil"]\n',
    "shop/__init__.py": "",
    "shop/order.py": "import dateutil\n",
}
NODE = {
    "package.json": '{"dependencies": {"left-pad": "1", "@scope/one": "2"}}',
    "src/order.js": "",
}
GO = {
    "go.mod": "module example.com/shop\n\nrequire github.com/spf13/cobra v1.0.0\n",
    "order.go": "package shop\n",
}
RUST = {"Cargo.toml": '[dependencies]\nserde-json = "1"\n', "src/lib.rs": ""}


def undeclared(files: Mapping[str, str], path: str, text: str) -> list[str]:
    return found(find_undeclared, files, {path: text})


@pytest.mark.parametrize(
    ("files", "path", "text", "package"),
    [
        (PYTHON, "shop/order.py", "import requests.adapters\n", "requests"),
        (PYTHON, "shop/new.py", "from numpy import array\n", "numpy"),
        (NODE, "src/order.js", 'const x = require("lodash/get");\n', "lodash"),
        (NODE, "src/order.js", 'import x from "@scope/two";\n', "@scope/two"),
        (GO, "order.go", 'package shop\n\nimport "github.com/gin-gonic/gin"\n',
         "github.com/gin-gonic/gin"),
        (RUST, "src/lib.rs", "use rand::Rng;\n", "rand"),
    ],
)  # fmt: skip
def test_a_new_one_is_found(files: Mapping[str, str], path: str, text: str, package: str) -> None:
    (sentence,) = undeclared(files, path, text)
    assert sentence.startswith(f"{path}:")
    assert f"imports `{package}`, which no manifest names." in sentence


@pytest.mark.parametrize(
    ("files", "path", "text"),
    [
        (PYTHON, "shop/order.py", "import os.path\nfrom . import x\nimport attrs\nimport ruamel.yaml\n"),
        (PYTHON, "shop/new.py", "import dateutil.parser\n"),
        (PYTHON, "shop/new.py", "try:\n    import numpy\nexcept ImportError:\n    numpy = None\n"),
        (PYTHON, "shop/new.py", "def f():\n    import numpy\n"),
        (PYTHON, "tests/test_order.py", "import hypothesis\n"),
        (NODE, "src/order.js", 'import a from "left-pad";\nimport b from "@scope/one/x";\n'),
        (NODE, "src/order.js", 'import fs from "fs";\n'),
        (NODE, "src/order.js", 'import a from "node:fs";\nimport b from "./x";\n'),
        (NODE, "src/order.js", 'import c from "#own";\nimport d from "@/x";\n'),
        (NODE, "src/order.js", 'import a from "src/x";\nimport type { T } from "lodash";\n'),
        (GO, "order.go", 'package shop\n\nimport (\n\t"fmt"\n\t"example.com/shop/x"\n)\n'),
        (GO, "order.go", 'package shop\n\nimport "github.com/spf13/cobra/doc"\n'),
        (RUST, "src/lib.rs", "use std::io;\nuse serde_json::Value;\nuse crate::x;\nuse Kind::One;\n"),
    ],
)  # fmt: skip
def test_what_is_declared_built_in_optional_or_the_repositorys_own_is_not(
    files: Mapping[str, str], path: str, text: str
) -> None:
    assert undeclared(files, path, text) == []


def test_a_package_may_move_from_one_file_to_another_and_have_another_name() -> None:
    files = {"setup.cfg": "install_requires = PyYAML, opencv-python\n", "a.py": "import yaml\n"}
    assert found(find_undeclared, files, {"a.py": None, "b.py": "import yaml\nimport cv2\n"}) == []
    named = {"pyproject.toml": "x", "a.py": "import foo\n"}
    assert found(find_undeclared, named, {"a.py": "", "b.py": "import foo\n"}) == []
    assert undeclared(PYTHON, "shop/new.py", "import setuptools\nimport pkg_resources\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "pub mod shapes {\n    pub struct Sq;\n}\npub use shapes::Sq;\n",
        "use serde_json::de;\nuse de::Visitor;\n",
        "enum Kind {\n    A,\n}\nuse Kind::A;\n",
        "use std::fmt as f;\nuse f::Debug;\n",
    ],
)
def test_what_a_file_of_rust_itself_brings_is_no_package(text: str) -> None:
    assert undeclared(RUST, "src/lib.rs", text) == []


def test_an_alias_of_a_folder_is_no_package() -> None:
    files = {**NODE, "src/components/foo.ts": ""}
    assert undeclared(files, "src/order.js", 'import x from "@components/foo";\n') == []


def test_what_another_file_names_or_was_imported_before_is_not() -> None:
    files = {**PYTHON, "shop/old.py": "import numpy\n"}
    assert undeclared(files, "shop/new.py", "import numpy\n") == []
    assert undeclared(files, "shop/old.py", "import numpy\n\nx = 1\n") == []


def test_a_change_of_the_manifest_is_trusted_and_without_one_nothing_is_said() -> None:
    manifest = PYTHON["pyproject.toml"].replace("attrs", "opencv-python")
    new = {"pyproject.toml": manifest, "shop/new.py": "import cv2\n"}
    assert found(find_undeclared, PYTHON, new) == []
    assert undeclared({"a.py": ""}, "a.py", "import cv2\n") == []
