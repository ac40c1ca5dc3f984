"""githubkit, which TinyGen uses, finds its way about in the double."""

from __future__ import annotations

import pytest
from githubkit import AppAuthStrategy, AppInstallationAuthStrategy, GitHub
from githubkit.exception import RequestFailed

from tests.doubles.github import GitHubDouble, Repository
from tests.doubles.github.state import App, Installation


def test_githubkit_signs_in_comments_and_opens_a_pull_request(
    github: GitHubDouble, repo: Repository, app: App, installation: Installation
) -> None:
    as_app = GitHub(
        AppAuthStrategy(str(app.id), app.private_key or ""), base_url=github.api_url, auto_retry=False, http_cache=False
    )
    with as_app:
        found = as_app.rest.apps.get_repo_installation("octocat", "hello").parsed_data
        assert found.id == installation.id
    strategy = AppInstallationAuthStrategy(str(app.id), app.private_key or "", found.id)
    repo.git.commit({"a.py": b"print(2)\n"}, branch="work")
    with GitHub(strategy, base_url=github.api_url, auto_retry=False, http_cache=False) as as_bot:
        comment = as_bot.rest.issues.create_comment("octocat", "hello", 1, body="Hello.").parsed_data
        assert comment.user
        assert comment.user.login == "tinygen[bot]"
        as_bot.rest.reactions.create_for_issue_comment("octocat", "hello", comment.id, content="eyes")
        pull = as_bot.rest.pulls.create("octocat", "hello", title="Mend", head="work", base="main").parsed_data
        assert as_bot.rest.pulls.list_files("octocat", "hello", pull.number).parsed_data[0].filename == "a.py"
        with pytest.raises(RequestFailed) as refused:
            as_bot.rest.pulls.create("octocat", "hello", title="Mend", head="work", base="main")
        assert refused.value.response.status_code == 422
