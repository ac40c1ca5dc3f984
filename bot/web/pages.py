"""What a job looks like to a caller."""

from __future__ import annotations

from bot.core.report import Report
from bot.web.problems import failed, problem_error


def diff_answer(report: Report) -> dict[str, str]:
    """The answer of /run to a job that has ended."""
    if report.state == "done":
        return {"diff": report.patch.text if report.patch else ""}
    failure = report.failure
    if failure is None:
        raise problem_error(409, "The job was cancelled. Send the request again.")
    raise failed(failure)


def job_page(report: Report) -> dict[str, object]:
    """The answer of /jobs/<id>."""
    usage, patch, job = report.usage, report.patch, report.job
    return {
        "id": job.id,
        "state": report.state,
        "source": job.source,
        "repo": job.target.repo,
        "steps": [{"title": step.title, "state": step.state} for step in report.steps],
        "usage": {
            "model": report.model,
            "calls": usage.calls,
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "cost_usd": usage.cost_usd,
            "seconds": round(usage.seconds, 3),
        },
        "result": {
            "diff": patch.text,
            "base_sha": patch.base_sha,
            "summary": report.summary,
            "notes": list(report.notes),
            "pull_request_url": report.pull_request_url,
        }
        if patch
        else None,
        "error": f"{report.failure.message} {report.failure.next_step}".strip() if report.failure else None,
        "created_at": job.received_at,
        "finished_at": report.finished_at,
    }
