"""What the double knows, in GitHub's JSON: people, Apps, repositories, issues and comments."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.doubles.github.state import (
    App,
    Comment,
    Installation,
    Issue,
    Json,
    Reaction,
    User,
    World,
    iso,
)

if TYPE_CHECKING:
    from tests.doubles.github.repository import Repository

REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")
_USER_LINKS = {
    "followers": "/followers",
    "following": "/following{/other_user}",
    "gists": "/gists{/gist_id}",
    "starred": "/starred{/owner}{/repo}",
    "subscriptions": "/subscriptions",
    "organizations": "/orgs",
    "repos": "/repos",
    "events": "/events{/privacy}",
    "received_events": "/received_events",
}
_REPO_LINKS = {
    "archive": "/{archive_format}{/ref}",
    "assignees": "/assignees{/user}",
    "blobs": "/git/blobs{/sha}",
    "branches": "/branches{/branch}",
    "collaborators": "/collaborators{/collaborator}",
    "comments": "/comments{/number}",
    "commits": "/commits{/sha}",
    "compare": "/compare/{base}...{head}",
    "contents": "/contents/{+path}",
    "contributors": "/contributors",
    "deployments": "/deployments",
    "downloads": "/downloads",
    "events": "/events",
    "forks": "/forks",
    "git_commits": "/git/commits{/sha}",
    "git_refs": "/git/refs{/sha}",
    "git_tags": "/git/tags{/sha}",
    "hooks": "/hooks",
    "issue_comment": "/issues/comments{/number}",
    "issue_events": "/issues/events{/number}",
    "issues": "/issues{/number}",
    "keys": "/keys{/key_id}",
    "labels": "/labels{/name}",
    "languages": "/languages",
    "merges": "/merges",
    "milestones": "/milestones{/number}",
    "notifications": "/notifications{?since,all,participating}",
    "pulls": "/pulls{/number}",
    "releases": "/releases{/id}",
    "stargazers": "/stargazers",
    "statuses": "/statuses/{sha}",
    "subscribers": "/subscribers",
    "subscription": "/subscription",
    "tags": "/tags",
    "teams": "/teams",
    "trees": "/git/trees{/sha}",
}


def node_id(kind: str, number: int | str) -> str:
    return f"{kind}_{base64.urlsafe_b64encode(str(number).encode()).decode().rstrip('=')}"


def user(world: World, who: User) -> Json:
    url = f"{world.api_url}/users/{quote(who.login)}"
    page = f"apps/{who.login.removesuffix('[bot]')}" if who.type == "Bot" else who.login
    return {
        "login": who.login,
        "id": who.id,
        "node_id": node_id("U", who.id),
        "avatar_url": f"{world.url}/avatars/u/{who.id}?v=4",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{world.url}/{page}",
        **{f"{name}_url": url + tail for name, tail in _USER_LINKS.items()},
        "type": who.type,
        "user_view_type": "public",
        "site_admin": False,
    }


def public_user(world: World, who: User) -> Json:
    nothing = dict.fromkeys(("company", "location", "email", "hireable", "bio", "twitter_username"))
    counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
    dates = {"created_at": iso(0), "updated_at": iso(0)}
    return {**user(world, who), "name": who.login, "blog": "", **nothing, **counts, **dates}


def app(world: World, of: App) -> Json:
    return {
        "id": of.id,
        "client_id": of.client_id,
        "slug": of.slug,
        "node_id": node_id("A", of.id),
        "owner": user(world, of.owner),
        "name": of.name,
        "description": "",
        "external_url": world.url,
        "html_url": f"{world.url}/apps/{of.slug}",
        "created_at": of.created_at,
        "updated_at": of.created_at,
        "permissions": of.permissions,
        "events": of.events,
    }


def installation(world: World, of: Installation) -> Json:
    url = f"{world.api_url}/app/installations/{of.id}"
    at = world.now() if of.suspended else None
    return {
        "id": of.id,
        "client_id": of.app.client_id,
        "account": user(world, of.account),
        "repository_selection": "all" if of.repositories is None else "selected",
        "access_tokens_url": f"{url}/access_tokens",
        "repositories_url": f"{world.api_url}/installation/repositories",
        "html_url": f"{world.url}/settings/installations/{of.id}",
        "app_id": of.app.id,
        "app_slug": of.app.slug,
        "target_id": of.account.id,
        "target_type": of.account.type,
        "permissions": of.permissions,
        "events": of.app.events,
        "created_at": of.created_at,
        "updated_at": of.created_at,
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": user(world, of.account) if of.suspended else None,
        "suspended_at": at,
    }


def repository(repo: Repository) -> Json:
    world, name = repo.world, repo.full_name
    url, page = f"{world.api_url}/repos/{name}", f"{world.url}/{name}"
    open_issues = sum(issue.state == "open" for issue in list(repo.issues.values()))
    host = world.url.partition("//")[2]
    return {
        "id": repo.id,
        "node_id": node_id("R", repo.id),
        "name": repo.name,
        "full_name": name,
        "private": repo.private,
        "owner": user(world, repo.owner),
        "html_url": page,
        "description": None,
        "fork": repo.parent is not None,
        "url": url,
        **{f"{link}_url": url + tail for link, tail in _REPO_LINKS.items()},
        "created_at": repo.created_at,
        "updated_at": repo.created_at,
        "pushed_at": repo.created_at,
        "git_url": f"git://{host}/{name}.git",
        "ssh_url": f"git@{host}:{name}.git",
        "clone_url": f"{page}.git",
        "svn_url": page,
        **dict.fromkeys(("homepage", "language", "mirror_url", "license")),
        **dict.fromkeys(
            ("size", "stargazers_count", "watchers_count", "forks_count", "forks", "watchers"), 0
        ),
        **dict.fromkeys(("has_projects", "has_downloads", "has_wiki", "allow_forking"), True),
        **dict.fromkeys(("has_pages", "has_discussions", "disabled", "is_template"), False),
        "web_commit_signoff_required": False,
        "has_issues": repo.has_issues,
        "archived": repo.archived,
        "open_issues_count": open_issues,
        "open_issues": open_issues,
        "topics": [],
        "visibility": "private" if repo.private else "public",
        "default_branch": repo.default_branch,
    }


def full_repository(repo: Repository) -> Json:
    lineage = (
        {name: repository(repo.parent) for name in ("parent", "source")} if repo.parent else {}
    )
    return {**repository(repo), "network_count": 0, "subscribers_count": 0, **lineage}


def association(repo: Repository, who: User) -> str:
    """https://docs.github.com/en/graphql/reference/enums#commentauthorassociation"""
    if who is repo.owner:
        return "OWNER"
    return "COLLABORATOR" if repo.permissions.get(who.login, "none") != "none" else "NONE"


def reactions(of: Comment | Issue, url: str) -> Json:
    counts = {content: sum(r.content == content for r in of.reactions) for content in REACTIONS}
    return {"url": f"{url}/reactions", "total_count": len(of.reactions), **counts}


def reaction(world: World, of: Reaction) -> Json:
    return {
        "id": of.id,
        "node_id": node_id("REA", of.id),
        "user": user(world, of.user),
        "content": of.content,
        "created_at": of.created_at,
    }


def issue(repo: Repository, of: Issue) -> Json:
    world = repo.world
    url = f"{world.api_url}/repos/{repo.full_name}/issues/{of.number}"
    page = f"{world.url}/{repo.full_name}/{'pull' if of.pull else 'issues'}/{of.number}"
    shown = {
        "url": url,
        "repository_url": f"{world.api_url}/repos/{repo.full_name}",
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "timeline_url": f"{url}/timeline",
        "html_url": page,
        "id": of.id,
        "node_id": node_id("I", of.id),
        "number": of.number,
        "title": of.title,
        "user": user(world, of.author),
        "labels": [label(repo, name) for name in of.labels],
        "state": of.state,
        "state_reason": "completed" if of.state == "closed" and not of.pull else None,
        "locked": of.locked,
        "active_lock_reason": None,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": len(repo.thread(of.number)),
        "created_at": of.created_at,
        "updated_at": of.updated_at,
        "closed_at": of.closed_at,
        "author_association": association(repo, of.author),
        "body": of.body,
        "reactions": reactions(of, url),
        "performed_via_github_app": app(world, of.via) if of.via else None,
    }
    if of.pull:
        links = {
            "url": f"{world.api_url}/repos/{repo.full_name}/pulls/{of.number}",
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "merged_at": of.pull.merged_at,
        }
        shown |= {"draft": of.pull.draft, "pull_request": links}
    return shown


def label(repo: Repository, name: str) -> Json:
    number = sum(name.encode())
    url = f"{repo.world.api_url}/repos/{repo.full_name}/labels/{quote(name)}"
    plain = {"name": name, "color": "ededed", "default": False, "description": None}
    return {"id": number, "node_id": node_id("LA", number), "url": url, **plain}


def comment(repo: Repository, of: Comment) -> Json:
    world = repo.world
    url = f"{world.api_url}/repos/{repo.full_name}/issues/comments/{of.id}"
    thread = repo.issues[of.number]
    page = f"{world.url}/{repo.full_name}/{'pull' if thread.pull else 'issues'}/{of.number}"
    return {
        "url": url,
        "html_url": f"{page}#issuecomment-{of.id}",
        "issue_url": f"{world.api_url}/repos/{repo.full_name}/issues/{of.number}",
        "id": of.id,
        "node_id": node_id("IC", of.id),
        "user": user(world, of.author),
        "created_at": of.created_at,
        "updated_at": of.updated_at,
        "author_association": association(repo, of.author),
        "body": of.body,
        "reactions": reactions(of, url),
        "performed_via_github_app": app(world, of.via) if of.via else None,
    }
