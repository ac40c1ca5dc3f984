"""Signed links: whoever holds one may read one job until it expires. The comment of a job has a link to
its page, which people who see the comment may follow without signing in; the page has one to the
diff alone, for a command in a shell."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Literal

Scope = Literal["page", "diff"]
"""What a link opens: the page, its JSON and the diff, or the diff alone."""
LINK_S = 30 * 86_400.0
"""How long the link in a comment is valid after the job was accepted."""
CALLBACK = "/login/callback"
"""Where GitHub sends people back to who sign in."""
PARAMETER = "key"
"""Of the query, with the signature."""
_FORM = re.compile(r"(?P<until>[0-9]{1,12})-(?P<mac>[0-9a-f]{64})", re.ASCII)
_IN_TEXT = re.compile(r"\bkey=[0-9]{1,12}-[0-9a-f]{64}", re.ASCII)


def sign_link(key: bytes, job_id: str, until: float, scope: Scope = "page") -> str:
    """What lets its holder read the job until then, in seconds since 1970."""
    seconds = str(int(until))
    return f"{seconds}-{_mac(key, job_id, seconds, scope)}"


def is_link_valid(
    key: bytes, job_id: str, signature: str, now: float, scope: Scope = "page"
) -> bool:
    """Whether `sign_link` made the signature for this job and scope, and it has not expired."""
    found = _FORM.fullmatch(signature)
    if found is None:
        return False
    is_ours = hmac.compare_digest(_mac(key, job_id, found["until"], scope), found["mac"])
    return is_ours and now <= int(found["until"])


def link_end(signature: str) -> float:
    """When a valid signature expires, in seconds since 1970."""
    return float(signature.partition("-")[0])


def without_signatures(text: str) -> str:
    """The text without the signatures of links, which a person may have quoted."""
    return _IN_TEXT.sub("key=[hidden]", text)


def page_path(job_id: str, signature: str = "", *, suffix: str = "") -> str:
    """The path of the job's page or, with the suffix `.diff`, of its diff."""
    query = f"?{PARAMETER}={signature}" if signature else ""
    return f"/jobs/{job_id}{suffix}{query}"


def _mac(key: bytes, job_id: str, until: str, scope: Scope) -> str:
    text = f"read {scope} of job {job_id} until {until}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
