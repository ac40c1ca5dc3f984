"""The grammar of a repository's name, `owner/name`: what GitHub gives out, and what is therefore safe in a path."""

from __future__ import annotations

import re

REPO_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}/(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}")
"""For `fullmatch`. An owner's `_` stands before the short code of an enterprise's managed users, and names of older
accounts end with a hyphen:
https://docs.github.com/en/enterprise-cloud@latest/admin/managing-iam/iam-configuration-reference/username-considerations-for-external-authentication"""
