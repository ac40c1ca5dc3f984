"""The tables of the embedded database: the columns that the code uses, and the migrations that make
them.

A test compares the two. `tinygen_requests` has the columns, types and name of the migration under
`deploy/supabase/`: an operator may use one database of Supabase for both, and either may create
the table first. Supabase's API can read every table of the public schema without row level
security, so all tables here have it; their owner, TinyGen, is exempt.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Column,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
)

timestamp = Text().with_variant(TIMESTAMP(timezone=True), "postgresql")
"""ISO 8601 text; a `timestamptz` on PostgreSQL."""

metadata = MetaData()

jobs = Table(
    "tinygen_jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("accepted_at", Double, nullable=False),  # all times here in seconds since 1970
    Column("claimed_until", Double, nullable=False),  # one worker is about to start it until then
    Column("taken_at", Double),  # None while the job waits for a worker
    Column("updated_at", Double),  # these eight are the newest report's, None without one
    Column("state", Text),
    Column("verb", Text),
    Column("tokens", BigInteger),
    Column("repo", Text),
    Column("issue_number", Integer),
    Column("installation_id", BigInteger),
    Column("actor", Text),
    Column("repository_key", Text),  # these two are `bot.types` keys, see `Database.accept`
    Column("asker_key", Text),
    Column("account", Text),
    Column("send_version", Integer),  # None where the request log elsewhere has the newest report
    Column("send_refusals", Integer, nullable=False),
    Column("send_free_at", Double, nullable=False),
    Column("event_key", Text),  # unique where it is set
    Column("job", Text),  # JSON, until the job is taken
    Column("report", Text),  # JSON
)
"""One row for each job, from its acceptance until `Database.prune` removes it.

| the job | taken_at | state, report | send_version |
| --- | --- | --- | --- |
| is accepted and waits for a worker | None | None | None |
| is queued, runs or has ended | set | set | set while the log elsewhere lacks the report |
| is known by its id only | set | None | as above |

The large JSON stands last: SQLite reads a row from its beginning.
"""

refusals = Table(
    "tinygen_refusals",
    metadata,
    Column("id", Text, primary_key=True),  # who was refused, in which repository
    Column("covers", Text, nullable=False),  # the kind of command that was refused, "" for all
    Column("failure", Text, nullable=False),  # JSON
    Column("refused_at", Double, nullable=False),  # in seconds since 1970
)

requests = Table(
    "tinygen_requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("delivery_id", Text),
    Column("installation_id", BigInteger),
    Column("repo", Text, nullable=False),
    Column("issue_number", Integer),
    Column("actor", Text),
    Column("prompt", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("base_sha", Text),
    Column("diff", Text),
    Column("pull_request_url", Text),
    Column("model", Text),
    Column("model_calls", Integer, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cost_usd", Numeric(asdecimal=False)),
    Column("error", Text),
    Column("created_at", timestamp, nullable=False),
    Column("finished_at", timestamp),
)

turns = Table(
    "tinygen_turns",
    metadata,
    Column("job_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True),  # from 1 on, in the order of the calls
    Column("turn", LargeBinary, nullable=False),  # JSON, compressed
)
"""The conversation of a job with the model. Its rows go with the job."""

workers = Table(
    "tinygen_workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("seen_at", Double, nullable=False),  # in seconds since 1970, by the database's clock
)

switches = Table(
    "tinygen_switches",
    metadata,
    Column("id", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""What all processes share: what the operator has set, what was last seen of the outside, the key that
links and cookies are signed with, and sessions of browsers that have ended."""

measures = Table(
    "tinygen_measures",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("labels", Text, nullable=False),  # JSON, pairs
    Column("value", Double, nullable=False),
)

MIGRATION_TABLE = "CREATE TABLE IF NOT EXISTS tinygen_migrations (version integer PRIMARY KEY)"


@dataclass(frozen=True, slots=True)
class Migration:
    """Statements that run once, in order: those for both databases, then those for one of them."""

    statements: tuple[str, ...]
    postgresql: tuple[str, ...] = ()
    sqlite: tuple[str, ...] = ()


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        (
            """CREATE TABLE tinygen_inbox (
                id text NOT NULL PRIMARY KEY,
                job text NOT NULL,
                accepted_at double precision NOT NULL,
                claimed_until double precision NOT NULL,
                taken_at double precision
            )""",
            (
                "CREATE INDEX tinygen_inbox_waiting ON tinygen_inbox (accepted_at) WHERE taken_at"
                " IS NULL"
            ),
            """CREATE TABLE tinygen_reports (
                id text NOT NULL PRIMARY KEY,
                repo text NOT NULL,
                issue_number integer,
                state text NOT NULL,
                created_at double precision NOT NULL,
                updated_at double precision NOT NULL,
                report text NOT NULL
            )""",
            (
                "CREATE INDEX tinygen_reports_thread ON tinygen_reports (repo, issue_number,"
                " created_at)"
            ),
            "CREATE INDEX tinygen_reports_state ON tinygen_reports (state)",
            """CREATE TABLE IF NOT EXISTS tinygen_requests (
                id text NOT NULL PRIMARY KEY,
                source text NOT NULL,
                delivery_id text,
                installation_id bigint,
                repo text NOT NULL,
                issue_number integer,
                actor text,
                prompt text NOT NULL,
                mode text NOT NULL,
                state text NOT NULL,
                base_sha text,
                diff text,
                pull_request_url text,
                model text,
                model_calls integer NOT NULL,
                prompt_tokens bigint NOT NULL,
                completion_tokens bigint NOT NULL,
                cost_usd numeric,
                error text,
                created_at timestamptz NOT NULL,
                finished_at timestamptz
            )""",
            (
                "CREATE INDEX IF NOT EXISTS tinygen_requests_repo ON tinygen_requests (repo,"
                " created_at)"
            ),
        ),
        postgresql=(
            "ALTER TABLE tinygen_migrations ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE tinygen_inbox ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE tinygen_reports ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE tinygen_requests ENABLE ROW LEVEL SECURITY",
        ),
    ),
    Migration(
        (
            (
                "CREATE TABLE tinygen_workers (id text NOT NULL PRIMARY KEY, seen_at double"
                " precision NOT NULL)"
            ),
        ),
        postgresql=("ALTER TABLE tinygen_workers ENABLE ROW LEVEL SECURITY",),
    ),
    Migration(
        (
            "ALTER TABLE tinygen_reports ADD COLUMN actor text",
            "ALTER TABLE tinygen_reports ADD COLUMN verb text NOT NULL DEFAULT ''",
            "ALTER TABLE tinygen_reports ADD COLUMN tokens bigint NOT NULL DEFAULT 0",
            # Holds all that is counted: the reports themselves, which are large, are not read.
            (
                "CREATE INDEX tinygen_reports_recent ON tinygen_reports (created_at, id, verb,"
                " state, actor, repo, tokens)"
            ),
        )
    ),
    Migration(
        (
            """CREATE TABLE tinygen_measures (
                id text NOT NULL PRIMARY KEY,
                name text NOT NULL,
                labels text NOT NULL,
                value double precision NOT NULL
            )""",
        ),
        postgresql=("ALTER TABLE tinygen_measures ENABLE ROW LEVEL SECURITY",),
    ),
    Migration(
        (
            """CREATE TABLE tinygen_unsent (
                id text NOT NULL PRIMARY KEY,
                since double precision NOT NULL,
                version integer NOT NULL,
                refusals integer NOT NULL,
                free_at double precision NOT NULL
            )""",
            "CREATE INDEX tinygen_unsent_since ON tinygen_unsent (since, id)",
        ),
        postgresql=("ALTER TABLE tinygen_unsent ENABLE ROW LEVEL SECURITY",),
    ),
    Migration(
        (
            "ALTER TABLE tinygen_inbox ADD COLUMN asker text NOT NULL DEFAULT ''",
            "ALTER TABLE tinygen_inbox ADD COLUMN repository text NOT NULL DEFAULT ''",
            "ALTER TABLE tinygen_inbox ADD COLUMN account text NOT NULL DEFAULT ''",
            """CREATE TABLE tinygen_refusals (
                id text NOT NULL PRIMARY KEY,
                covers text NOT NULL,
                failure text NOT NULL,
                refused_at double precision NOT NULL
            )""",
            "ALTER TABLE tinygen_reports ADD COLUMN repository_key text NOT NULL DEFAULT ''",
            "ALTER TABLE tinygen_reports ADD COLUMN asker_key text NOT NULL DEFAULT ''",
            "ALTER TABLE tinygen_reports ADD COLUMN installation_id bigint",
            # By name, as it was kept so far, until a delivery tells the repository's id
            # (Database._adopt).
            (
                "UPDATE tinygen_reports SET repository_key = lower(repo), asker_key ="
                " coalesce(actor, '')"
            ),
            "DROP INDEX tinygen_reports_thread",
            "DROP INDEX tinygen_reports_recent",
            (
                "CREATE INDEX tinygen_reports_thread ON tinygen_reports (repository_key,"
                " issue_number, created_at)"
            ),
            """CREATE INDEX tinygen_reports_recent ON tinygen_reports
                (created_at, id, verb, state, asker_key, repository_key, tokens)""",
            # All that is looked at to choose what to start: the words of the jobs, which are large,
            # are not read.
            """CREATE INDEX tinygen_inbox_shares ON tinygen_inbox
                (asker, repository, account, accepted_at, id, claimed_until)
                WHERE taken_at IS NULL""",
            # What is no job of anybody's, and never ended.
            "DELETE FROM tinygen_reports WHERE state = 'queued' AND verb = 'withdraw'",
            """DELETE FROM tinygen_reports
                WHERE state = 'queued' AND report LIKE '%"check": {"run_id"%'""",
        ),
        postgresql=(
            "ALTER TABLE tinygen_refusals ENABLE ROW LEVEL SECURITY",
            # Not as JSON, which PostgreSQL cannot read where a text in it holds NUL or a lone
            # surrogate.
            """UPDATE tinygen_reports SET
                installation_id = substring(report from '"installation_id": ?([0-9]+)')::bigint,
                asker_key = coalesce(substring(report from '"actor_id": ?([0-9]+)'), asker_key)""",
        ),
        sqlite=(
            """UPDATE tinygen_reports SET
                installation_id = json_extract(report, '$.job.target.installation_id'),
                asker_key = coalesce(
                    cast(json_extract(report, '$.job.actor_id') AS text), asker_key
                )""",
        ),
    ),
    Migration(
        (
            # One table instead of inbox, reports and unsent, whose rows MOVE_FROM_OLDER_TABLES
            # moves.
            """CREATE TABLE tinygen_jobs (
                id text NOT NULL PRIMARY KEY,
                accepted_at double precision NOT NULL,
                claimed_until double precision NOT NULL DEFAULT 0,
                taken_at double precision,
                updated_at double precision,
                state text,
                verb text,
                tokens bigint,
                repo text,
                issue_number integer,
                installation_id bigint,
                actor text,
                repository_key text,
                asker_key text,
                account text,
                send_version integer,
                send_refusals integer NOT NULL DEFAULT 0,
                send_free_at double precision NOT NULL DEFAULT 0,
                job text,
                report text
            )""",
            # Which jobs to start, and what counts against limits, is read from indexes alone: the
            # JSON of the rows is large.
            """CREATE INDEX tinygen_jobs_waiting ON tinygen_jobs
                (accepted_at) WHERE taken_at IS NULL""",
            """CREATE INDEX tinygen_jobs_shares ON tinygen_jobs
                (asker_key, repository_key, account, accepted_at, id, claimed_until, taken_at)
                WHERE taken_at IS NULL""",
            """CREATE INDEX tinygen_jobs_state ON tinygen_jobs
                (state, accepted_at) WHERE state IS NOT NULL""",
            """CREATE INDEX tinygen_jobs_thread ON tinygen_jobs
                (repository_key, issue_number, accepted_at) WHERE state IS NOT NULL""",
            """CREATE INDEX tinygen_jobs_recent ON tinygen_jobs
                (accepted_at, id, verb, state, asker_key, repository_key, tokens)
                WHERE state IS NOT NULL""",
            """CREATE INDEX tinygen_jobs_to_send ON tinygen_jobs
                (accepted_at, id, send_version, send_refusals, send_free_at)
                WHERE send_version IS NOT NULL""",
        ),
        postgresql=("ALTER TABLE tinygen_jobs ENABLE ROW LEVEL SECURITY",),
    ),
    Migration(
        (
            "ALTER TABLE tinygen_jobs ADD COLUMN event_key text",
            """CREATE UNIQUE INDEX tinygen_jobs_event ON tinygen_jobs
                (event_key) WHERE event_key IS NOT NULL""",
            """CREATE TABLE tinygen_switches (
                id text NOT NULL PRIMARY KEY,
                value text NOT NULL
            )""",
        ),
        postgresql=("ALTER TABLE tinygen_switches ENABLE ROW LEVEL SECURITY",),
    ),
    Migration(
        (
            # Holds all that spending is summed by: prompts and diffs, which are large, are not read.
            """CREATE INDEX IF NOT EXISTS tinygen_requests_spending ON tinygen_requests
                (created_at, repo, actor, model, source, model_calls, prompt_tokens,
                completion_tokens, cost_usd)""",
        ),
        postgresql=(
            """CREATE TABLE tinygen_turns (
                job_id text NOT NULL,
                number integer NOT NULL,
                turn bytea NOT NULL,
                PRIMARY KEY (job_id, number)
            )""",
            "ALTER TABLE tinygen_turns ENABLE ROW LEVEL SECURITY",
        ),
        sqlite=(
            """CREATE TABLE tinygen_turns (
                job_id text NOT NULL,
                number integer NOT NULL,
                turn blob NOT NULL,
                PRIMARY KEY (job_id, number)
            )""",
        ),
    ),
)
"""Append only: a migration that ran somewhere is never changed."""

OLDER_TABLES = ("tinygen_inbox", "tinygen_reports", "tinygen_unsent")
"""What versions before `tinygen_jobs` use. They stay, empty, so that such a version can start."""

MOVE_FROM_OLDER_TABLES = (
    """INSERT INTO tinygen_jobs
        (id, accepted_at, claimed_until, taken_at, repository_key, asker_key, account, job)
        SELECT id, accepted_at, claimed_until, taken_at, repository, asker, account,
            nullif(job, '')
        FROM tinygen_inbox WHERE true
        ON CONFLICT (id) DO NOTHING""",
    """INSERT INTO tinygen_jobs
        (id, accepted_at, taken_at, updated_at, state, verb, tokens, repo, issue_number,
            installation_id, actor, repository_key, asker_key, report)
        SELECT id, created_at, created_at, updated_at, state, verb, tokens, repo, issue_number,
            installation_id, actor, repository_key, asker_key, report
        FROM tinygen_reports WHERE true
        ON CONFLICT (id) DO UPDATE SET
            accepted_at = excluded.accepted_at, updated_at = excluded.updated_at,
            state = excluded.state, verb = excluded.verb, tokens = excluded.tokens,
            repo = excluded.repo, issue_number = excluded.issue_number,
            installation_id = excluded.installation_id, actor = excluded.actor,
            repository_key = excluded.repository_key, asker_key = excluded.asker_key,
            report = excluded.report""",
    """INSERT INTO tinygen_jobs
        (id, accepted_at, taken_at, send_version, send_refusals, send_free_at)
        SELECT id, since, since, version, refusals, free_at FROM tinygen_unsent WHERE true
        ON CONFLICT (id) DO UPDATE SET
            send_version = excluded.send_version, send_refusals = excluded.send_refusals,
            send_free_at = excluded.send_free_at""",
    "DELETE FROM tinygen_inbox",
    "DELETE FROM tinygen_reports",
    "DELETE FROM tinygen_unsent",
)
"""`WHERE true` tells SQLite that ON CONFLICT is no part of the SELECT
(https://www.sqlite.org/lang_upsert.html#parsing_ambiguity). What an older version did with a job
last stands in the older tables, so that it wins."""
