from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent
"""The checkout that the tests stand in."""
