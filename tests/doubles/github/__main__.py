"""The double as its own process, for the demo and for trying TinyGen by hand:

    python -m tests.doubles.github DIR --repository octocat/hello=SOURCE --webhook-url
    http://127.0.0.1:8000/webhook

Prints one line of JSON when it serves: where it listens, the App's id, key file and webhook secret,
and a token of each repository's owner, with whom the REST API acts as that person. Ends on SIGTERM
or Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from tests.doubles.github import GitHubDouble, Repository


def main(arguments: list[str] | None = None) -> None:
    asked = read_arguments(arguments)
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    asked.directory.mkdir(parents=True, exist_ok=True)
    with GitHubDouble(asked.directory, port=asked.port) as github:
        print(json.dumps(furnish(github, asked)), flush=True)
        over.wait()


def read_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.doubles.github", description=__doc__)
    parser.add_argument(
        "directory", type=Path, help="where the repositories and the App's key are kept"
    )
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--app-id", type=int, default=12345)
    parser.add_argument("--slug", default="tinygen")
    parser.add_argument("--webhook-url", help="where the App listens")
    parser.add_argument("--webhook-secret", default="development")
    parser.add_argument(
        "--repository",
        action="append",
        default=[],
        metavar="OWNER/NAME[=SOURCE]",
        help="SOURCE: a directory of files to begin with, or a bare repository, served in place",
    )
    return parser.parse_args(arguments)


def furnish(github: GitHubDouble, asked: argparse.Namespace) -> dict[str, object]:
    """Makes what was asked for; what there is then, for the first line of output."""
    secret = asked.webhook_secret
    app = github.add_app(
        app_id=asked.app_id, slug=asked.slug, webhook_url=asked.webhook_url, webhook_secret=secret
    )
    key = asked.directory / "app.pem"
    key.write_text(app.private_key or "")
    tokens = {}
    for each in asked.repository:
        name, _, source = each.partition("=")
        repo = add_repository(github, name, Path(source) if source else None)
        if repo.owner.login not in tokens:
            github.install(app, repo.owner.login)
            tokens[repo.owner.login] = github.add_token(repo.owner.login)
    where = {"url": github.url, "api_url": github.api_url, "private_key_path": str(key.absolute())}
    return {**where, "app_id": app.id, "webhook_secret": secret, "tokens": tokens}


def add_repository(github: GitHubDouble, name: str, source: Path | None) -> Repository:
    if source is None or (source / "objects").is_dir():
        return github.add_repository(name, path=source)
    files = {
        path.relative_to(source).as_posix(): path.read_bytes()
        for path in sorted(source.rglob("*"))
        if path.is_file()
    }
    return github.add_repository(name, files=files)


if __name__ == "__main__":
    main(sys.argv[1:])
