"""A private key as people put it into a setting."""

from __future__ import annotations

import base64


def read_pem(text: str) -> str:
    """The PEM, whichever of the accepted forms it has. ValueError says which those are."""
    text = text.replace("\\n", "\n").strip()
    if "-----BEGIN" not in text:
        try:
            text = base64.b64decode("".join(text.split()), validate=True).decode("ascii").strip()
        except ValueError:
            text = ""
    if "PRIVATE KEY-----" not in text:
        raise ValueError("is not a private key as PEM, PEM with \\n, or base64 of PEM")
    return text + "\n"
