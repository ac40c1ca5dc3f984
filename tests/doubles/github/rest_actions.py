"""Routes about runs of GitHub Actions. https://docs.github.com/en/rest/actions"""

from __future__ import annotations

from tests.doubles.github import payloads_actions
from tests.doubles.github.refusals import Refused, not_found
from tests.doubles.github.routing import Call, respond, route
from tests.doubles.server import Response


@route("GET", "/repos/{owner}/{repo}/actions/runs/{id:int}/jobs", "actions:read")
def list_jobs(call: Call) -> Response:
    run = call.repo.runs.get(int(call.parts["id"]))
    if run is None:
        raise not_found()
    last = 1 + run.passed_before
    first = 1 if call.request.query.get("filter") == "all" else last
    jobs = [payloads_actions.job(call.repo, run, attempt) for attempt in range(last, first - 1, -1)]
    return respond({"total_count": len(jobs), "jobs": jobs})


@route("GET", "/repos/{owner}/{repo}/actions/jobs/{id:int}/logs", "actions:read")
def lead_to_log(call: Call) -> Response:
    """Redirects to the log, at an address with another host name that needs no credential."""
    run = next(
        (run for run in call.repo.runs.values() if run.job_id == int(call.parts["id"])), None
    )
    if run is None:
        raise not_found()
    if run.log is None:
        raise Refused(410, "Server Error")
    elsewhere = call.world.url.replace("127.0.0.1", "localhost")
    return Response(302, b"", {"Location": f"{elsewhere}/stored-logs/{run.job_id}"})
