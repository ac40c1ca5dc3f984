"""Git's smart HTTP, by git itself: a wrapper round `git http-backend`.

https://git-scm.com/docs/git-http-backend
"""

from __future__ import annotations

import re
import subprocess

from tests.doubles.github.auth import can_see, check_access, identify
from tests.doubles.github.git import environment
from tests.doubles.github.refusals import Refused
from tests.doubles.github.state import World
from tests.doubles.server import Request, Response

PATH = re.compile(
    r"/(?P<owner>[^/]+)/(?P<repo>[^/]+?)(?:\.git)?(?P<rest>/info/refs|/git-(?:upload|receive)-pack)"
)


def answer_git(world: World, request: Request) -> Response:
    """The answer to git's client: 401 if the repository cannot be seen without credentials."""
    match = PATH.fullmatch(request.path)
    if match is None:
        return _say(404, "Not Found")
    name, rest = f"{match['owner']}/{match['repo']}", match["rest"]
    is_push = "git-receive-pack" in (rest.lstrip("/"), request.query.get("service"))
    try:
        with world.lock:
            caller = identify(world, request.headers)
            repo = world.names.get(name.lower())
            if repo is None or not can_see(caller, repo):
                return _say(404 if caller.token else 401, "Repository not found.")
            check_access(caller, repo, ("contents:write" if is_push else "contents:read",))
            if name.lower() != repo.full_name.lower():
                query = f"?{request.query_string}" if request.query_string else ""
                return Response(
                    301, b"", {"Location": f"{world.url}/{repo.full_name}.git{rest}{query}"}
                )
    except Refused as refused:
        return _say(refused.status, str(refused))
    return _run(request, f"{repo.git.path}{rest}")


def _say(status: int, text: str) -> Response:
    ask = {"WWW-Authenticate": 'Basic realm="GitHub"'} if status == 401 else {}
    return Response(status, text.encode(), {"Content-Type": "text/plain", **ask})


def _run(request: Request, path: str) -> Response:
    """`git http-backend` as a CGI program; what the client compressed, it unpacks itself."""
    given = {
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query_string,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(request.body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "PATH_TRANSLATED": path,
        "GIT_HTTP_EXPORT_ALL": "1",
        "REMOTE_USER": "git",
        "REMOTE_ADDR": "127.0.0.1",
    }
    command = ["git", "http-backend"]
    done = subprocess.run(
        command, input=request.body, capture_output=True, check=True, env=environment() | given
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    status = int(headers.pop("Status", "200").split()[0])
    return Response(status, body, headers)
