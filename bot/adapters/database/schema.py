"""The tables, twice: as the migrations that made them and as the columns that the code uses (a test
compares the two).

`tinygen_requests` has the columns, types and name of the migration under `deploy/supabase/`: an
operator who gives Supabase's own database for everything may let either of them come first. There,
tables of the public schema can be read through Supabase's API unless row security is on, so it is
on for all of them; the owner, TinyGen, passes it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Column,
    Double,
    Integer,
    MetaData,
    Numeric,
    Table,
    Text,
)

moment = Text().with_variant(TIMESTAMP(timezone=True), "postgresql")
"""ISO 8601 text, which PostgreSQL makes a `timestamptz` of."""

metadata = MetaData()

inbox = Table(
    "tinygen_inbox",
    metadata,
    Column("id", Text, primary_key=True),
    Column("job", Text, nullable=False),  # JSON; emptied once it is taken
    Column("accepted_at", Double, nullable=False),  # these three in seconds since 1970
    Column("claimed_until", Double, nullable=False),
    Column("taken_at", Double),
    Column(
        "asker", Text, nullable=False
    ),  # in this repository; these three are what jobs wait in shares of
    Column("repository", Text, nullable=False),
    Column("account", Text, nullable=False),
)

refusals = Table(
    "tinygen_refusals",
    metadata,
    Column("id", Text, primary_key=True),  # who was refused, in which repository
    Column("covers", Text, nullable=False),  # the kind of command that was refused, "" for all
    Column("failure", Text, nullable=False),  # JSON
    Column("refused_at", Double, nullable=False),  # in seconds since 1970
)

reports = Table(
    "tinygen_reports",
    metadata,
    Column("id", Text, primary_key=True),
    Column("repo", Text, nullable=False),
    Column("issue_number", Integer),
    Column("state", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("report", Text, nullable=False),  # JSON
    Column("actor", Text),
    Column("verb", Text, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("repository_key", Text, nullable=False),  # these two are bot.types' keys
    Column("asker_key", Text, nullable=False),
    Column("installation_id", BigInteger),
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
    Column("created_at", moment, nullable=False),
    Column("finished_at", moment),
)

workers = Table(
    "tinygen_workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("seen_at", Double, nullable=False),  # in seconds since 1970, by the database's clock
)

measures = Table(
    "tinygen_measures",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("labels", Text, nullable=False),  # JSON, pairs
    Column("value", Double, nullable=False),
)

unsent = Table(
    "tinygen_unsent",
    metadata,
    Column("id", Text, primary_key=True),
    Column("since", Double, nullable=False),  # this and the last in seconds since 1970
    Column("version", Integer, nullable=False),
    Column("refusals", Integer, nullable=False),
    Column("free_at", Double, nullable=False),
)

MIGRATION_TABLE = "CREATE TABLE IF NOT EXISTS tinygen_migrations (version integer PRIMARY KEY)"


@dataclass(frozen=True, slots=True)
class Migration:
    """Statements that are run once, in order; those of one database after the others, and there
    alone."""

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
                (asker, repository, account, accepted_at, id, claimed_until) WHERE taken_at IS NULL""",
            # What is no job of anybody's, and never ended.
            "DELETE FROM tinygen_reports WHERE state = 'queued' AND verb = 'withdraw'",
            """DELETE FROM tinygen_reports WHERE state = 'queued' AND report LIKE '%"check": {"run_id"%'""",
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
                asker_key = coalesce(cast(json_extract(report, '$.job.actor_id') AS text), asker_key)""",
        ),
    ),
)
"""Append only: a migration that ran somewhere is never changed."""
