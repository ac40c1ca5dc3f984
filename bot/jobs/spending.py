"""What is looked at before a job spends anything: whether a pull request for its issue is open, and
what it will probably cost.
"""

from __future__ import annotations

import structlog

from bot.change.tokens import estimate_tokens
from bot.errors import AskerError, OutsideError
from bot.jobs.policy import JobContext, JobPolicy
from bot.jobs.thread_jobs import asked_here
from bot.thread.history import pull_number
from bot.thread.render import asks_first
from bot.types import Job, Prompt

MAX_OWN_PULLS = 5
"""Of TinyGen's own pull requests from the thread, how many GitHub is asked about."""
USUAL_REQUESTS = {"generate": 3.1, "choose": 6.5, "answer": 2.0}
"""How many times the tokens of its first request a job reads in all, by that request's purpose: the
eleven tasks of docs/figures.md took 3.1 calls and 19,000 tokens each. A first request that only
chooses is the smallest one."""
USUAL_REPLY_TOKENS = {"generate": 1_600, "choose": 1_600, "answer": 600}
"""What the model writes in a job, in all."""

_log = structlog.get_logger()


def find_open_pulls(context: JobContext, job: Job) -> tuple[str, ...]:
    """The addresses of the open pull requests for the job's issue: those that GitHub has linked with
    it, and those that TinyGen opened from it. With `--new` the latter are no obstacle: who gives it
    knows of them.

    Where GitHub does not tell what it has linked (an older Enterprise Server), none are known.
    """
    github, number = context.github(job.target), job.target.issue_number or 0
    opened: dict[str, int | None] = {}
    for report in asked_here(context, job):
        if report.pull_request_url and len(opened) < MAX_OWN_PULLS:
            opened[report.pull_request_url] = pull_number([report])
    own: list[str] = []
    if not job.command.fresh:
        own = [url for url, pull in opened.items() if pull and github.pull(pull).state == "open"]
    try:
        linked = github.closing_pulls(number)
    except (AskerError, OutsideError) as error:
        _log.warning("linked pull requests are not known", job=job.id, error=error.message)
        linked = ()
    others = (url for url in linked if url not in opened)
    return tuple(dict.fromkeys((*own, *others)))


def estimate_usd(prompt: Prompt, policy: JobPolicy) -> float | None:
    """What a job whose first request this is will probably cost; None without a price of its
    model."""
    model = policy.settings.model or next(iter(policy.models), "")
    price = policy.prices.get(model)
    if price is None or prompt.purpose not in USUAL_REQUESTS:
        return None
    tokens = sum(estimate_tokens(message.text) for message in prompt.messages)
    in_all = round(tokens * USUAL_REQUESTS[prompt.purpose])
    return price.cost_usd(in_all, USUAL_REPLY_TOKENS[prompt.purpose])


def check_estimate(cost_usd: float | None, policy: JobPolicy, job: Job) -> None:
    """NeedsConsent if the job may cost more than the operator lets it without asking. A direct call
    has nobody who could be asked."""
    limit = policy.ask_above_usd
    is_asked = job.target.issue_number is not None and not job.command.force
    if limit is None or cost_usd is None or not is_asked or cost_usd <= limit:
        return
    raise asks_first(cost_usd, limit)
