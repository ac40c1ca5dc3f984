"""How a job's result came about: reviews, checks, what the model was shown, and what it cost."""

from __future__ import annotations

from bot.thread.markdown.quote import code_span, fence, neutralize
from bot.thread.render.parts import MAX_SHORT_CHARS, bullets, count, in_list, paragraphs
from bot.types import Report, Verdict
from bot.types.snapshot import Patch

MAX_SHOWN_ROWS = 40
MAX_SHOWN_RANGES = 20
_CHECKED = (
    "Nothing was run. The diff was applied to its base again and gave the same files; what parsed"
    " before still parses, and no new name, import or call leads nowhere as far as a parser can"
    " tell, unless a note says otherwise."
)


def render_provenance(report: Report) -> str:
    """The folded part below a result."""
    sections = ["<details><summary>How this came about</summary>"]
    if report.reflections:
        found = [
            f"{number}. {in_list(neutralize(text)) or 'Nothing was found wrong.'}"
            for number, text in enumerate(report.reflections, 1)
        ]
        sections.append("**What reflection found**\n\n" + "\n".join(found))
    if report.first_patch is not None:
        sections.append(f"**The first version**\n\n{_first_version(report.first_patch)}")
    if report.state == "done" and report.patch and report.patch.text:
        sections.append(f"**Checked**\n\n{_CHECKED}")
    if report.shown:
        sections.append("**Shown to the model**\n\n" + "\n".join(_shown_rows(report)))
    if report.left_out:
        sections.append("**Not shown to the model**\n\n" + bullets(report.left_out))
    sections.append(f"**What it took**\n\n{_usage(report)}")
    sections.append("</details>")
    return paragraphs(sections)


def _first_version(patch: Patch) -> str:
    if len(patch.text) <= MAX_SHORT_CHARS:
        # "patch" is coloured like "diff", by which programs find the comment's one result.
        return fence(patch.text, "patch")
    return f"Its diff is too long to be shown here: {len(patch.text):,} characters."


def _shown_rows(report: Report) -> list[str]:
    """A row for each file and reason, in the order in which they were shown."""
    ranges: dict[tuple[str, str], list[str]] = {}
    for part in report.shown:
        ranges.setdefault((part.path, part.why), []).append(f"{part.start}–{part.end}")
    rows = []
    for (path, why), lines in ranges.items():
        rows.append(f"- {code_span(path)} {', '.join(lines[:MAX_SHOWN_RANGES])}: {neutralize(why)}")
    if len(rows) > MAX_SHOWN_ROWS:
        return [*rows[:MAX_SHOWN_ROWS], f"- and {len(rows) - MAX_SHOWN_ROWS} more files"]
    return rows


def _usage(report: Report) -> str:
    usage = report.usage
    cost = f", ${usage.cost_usd:.4f}" if usage.cost_usd is not None else ""
    if report.estimate_usd is not None:
        cost += f" (the estimate before: ${report.estimate_usd:.4f})"
    cached = f" ({usage.cached_tokens:,} cached)" if usage.cached_tokens else ""
    return (
        f"{code_span(report.model or 'model')}: {count(usage.calls, 'call')},"
        f" {usage.prompt_tokens:,} tokens in{cached}, {usage.completion_tokens:,} out{cost},"
        f" {usage.seconds:.0f} s"
    )


def render_reflection(verdict: Verdict) -> str:
    """What a review found, and what came of it."""
    outcome = {"taken": "Revised", "kept": "Not revised", "": "A revision was asked for"}
    heading = "Confident" if verdict.confident else outcome[verdict.decision]
    why = f"{verdict.why} {verdict.comparison}".strip()
    return "\n\n".join(part for part in (f"**{heading}.** {verdict.reason}".strip(), why) if part)
