"""A double of GitHub: REST, git's smart HTTP and webhooks, on real bare repositories.

Git is the one source of truth for all that is git's; the rest lives in memory. Answers are complete
by GitHub's published description (`tests/test_doubles/` holds them to it), and what GitHub refuses
is refused here, in its words. Not imitated: ETags, GraphQL, the contents API, merging, labels,
reviews, teams and required checks.
"""

from tests.doubles.github.double import GitHubDouble, Journal, Recorded
from tests.doubles.github.repository import Repository
from tests.doubles.github.webhooks import Delivery, sign

__all__ = ["Delivery", "GitHubDouble", "Journal", "Recorded", "Repository", "sign"]
