"""Git's smart HTTP, by git itself: a wrapper round `git http-backend`.

https://git-scm.com/docs/git-http-backend
"""

from __future__ import annotations

import re
import subprocess

from tests.doubles.github.auth import Caller, can_see, check_access, identify
from tests.doubles.github.git import environment
from tests.doubles.github.refusals import Refused
from tests.doubles.github.state import World
from tests.doubles.server import Request, Response

PATH = re.compile(r"/(?P<owner>[^/]+)/(?P<repo>[^/]+?)(?:\.git)?(?P<rest>/info/refs|/git-(?:upload|receive)-pack)")


def answer_git(world: World, request: Request) -> tuple[Response, Caller]:
    """What git's client is answered. Credentials are asked for where the repository is not to be seen without."""
    match = PATH.fullmatch(request.path)
    if match is None:
        return _say(404, "Not Found"), Caller()
    writes = "git-receive-pack" in (match["rest"], request.query.get("service")) or "receive-pack" in match["rest"]
    try:
        with world.lock:
            caller = identify(world, request.headers)
            repo = world.names.get(f"{match['owner']}/{match['repo']}".lower())
            if repo is None or not can_see(caller, repo):
                return _hidden(caller), caller
            if writes:
                check_access(caller, repo, ("contents:write",))
            if f"{match['owner']}/{match['repo']}".lower() != repo.full_name.lower():
                return _moved(world, repo.full_name, match["rest"], request.query_string), caller
    except Refused as refused:
        return _say(refused.status, str(refused)), Caller()
    return _run(request, f"{repo.git.path}{match['rest']}"), caller


def _hidden(caller: Caller) -> Response:
    return _say(404, "Repository not found.") if caller.token else _say(401, "Repository not found.")


def _say(status: int, text: str) -> Response:
    ask = {"WWW-Authenticate": 'Basic realm="GitHub"'} if status == 401 else {}
    return Response(status, text.encode(), {"Content-Type": "text/plain", **ask})


def _moved(world: World, name: str, rest: str, query: str) -> Response:
    return Response(301, b"", {"Location": f"{world.url}/{name}.git{rest}{'?' + query if query else ''}"})


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
    done = subprocess.run(command, input=request.body, capture_output=True, check=True, env=environment() | given)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    status = int(headers.pop("Status", "200").split()[0])
    return Response(status, body, headers)
