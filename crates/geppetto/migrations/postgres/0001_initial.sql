-- Choices that hold for every table:
-- * The tables of SQLite and PostgreSQL are the same; only row numbers, the order of names and triggers are
--   written differently.
-- * Times are BIGINT microseconds since 1970-01-01 UTC, never text: texts of times sort wrongly as soon
--   as one of them drops its zero fraction.
-- * What is secret is kept as a SHA-256 in hexadecimal, and only if it was generated from 256 random bits.
-- * Who was first is decided by a primary key or a unique index, never by a lock that only one of the two
--   databases has.

-- What every control plane on this database must have in common. Texts of places and node files hold secrets, and
-- a digest of a node file lets them be guessed at: all three are sealed with a key that is not in the database.
-- `sealed` was sealed with the same key, so that a wrong key is known before anything is written with it.
CREATE TABLE control_plane (
    only_row BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    sealed   TEXT   NOT NULL,
    node_key TEXT   NOT NULL,              -- the public key that verifies node files, in base64
    -- Grows each time this database is recovered from a backup: hosts follow a node file of a higher epoch, whatever
    -- its generation.
    epoch    BIGINT NOT NULL CHECK (epoch > 0)
);

-- A revision is one committed state of all roles, groups, environments and servers. Each is made from the one
-- before it, and only one can be: of two that are committed at once, the second breaks a key.
CREATE TABLE revisions (
    number     BIGINT NOT NULL PRIMARY KEY CHECK (number > 0),
    previous   BIGINT UNIQUE REFERENCES revisions (number),
    created_us BIGINT NOT NULL,
    author     TEXT   NOT NULL,
    message    TEXT   NOT NULL,
    CHECK (number = COALESCE(previous, 0) + 1)
);

-- A place's text, and the span of revisions it was in force: since <= revision < until.
-- A revision therefore costs what it changes, not what there is, and every old one can still be read whole.
CREATE TABLE places (
    path    TEXT COLLATE "C" NOT NULL,              -- roles/web.yaml
    since   BIGINT NOT NULL REFERENCES revisions (number),
    until   BIGINT REFERENCES revisions (number),
    text    TEXT   NOT NULL,              -- canonical YAML, sealed
    origins TEXT   NOT NULL,              -- JSON: who set each value, and in which revision
    PRIMARY KEY (path, since),
    CHECK (until IS NULL OR until > since)
);
-- At most one text of a place is in force.
CREATE UNIQUE INDEX places_current ON places (path) WHERE until IS NULL;
-- What changed after a revision is asked for by everybody who made a change from it.
CREATE INDEX places_since ON places (since);
CREATE INDEX places_until ON places (until) WHERE until IS NOT NULL;

-- People's and programs' tokens. `id` is the public part of the token, shown in lists and the audit log.
CREATE TABLE tokens (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL,
    hash       TEXT   NOT NULL,
    created_us BIGINT NOT NULL,
    created_by TEXT   NOT NULL,
    expires_us BIGINT,
    revoked_us BIGINT
);
-- A name can be given again once its token is revoked; the old row stays, for the audit log's sake.
CREATE UNIQUE INDEX tokens_name ON tokens (name) WHERE revoked_us IS NULL;

-- What a token may do, and where; `*` is every environment, or every component.
CREATE TABLE grants (
    token        TEXT COLLATE "C" NOT NULL REFERENCES tokens (id),
    access_level TEXT   NOT NULL CHECK (access_level IN ('viewer', 'developer', 'operator', 'admin')),
    environment  TEXT COLLATE "C" NOT NULL,
    component    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (token, access_level, environment, component)
);

-- People. `password_hash` is what argon2id made of the password, in PHC form; absent until the person has set one.
CREATE TABLE users (
    name          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    password_hash TEXT,
    created_us    BIGINT NOT NULL,
    created_by    TEXT   NOT NULL,
    disabled_us   BIGINT
);

-- What a user may do, and where; `*` is every environment, or every component.
CREATE TABLE user_grants (
    user_name    TEXT COLLATE "C" NOT NULL REFERENCES users (name),
    access_level TEXT   NOT NULL CHECK (access_level IN ('viewer', 'developer', 'operator', 'admin')),
    environment  TEXT COLLATE "C" NOT NULL,
    component    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (user_name, access_level, environment, component)
);

-- One-time links with which a person sets a password. Of a user's links the newest is good.
CREATE TABLE password_links (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_name  TEXT COLLATE "C" NOT NULL REFERENCES users (name),
    hash       TEXT   NOT NULL,
    created_us BIGINT NOT NULL,
    created_by TEXT   NOT NULL,
    expires_us BIGINT NOT NULL,
    used_us    BIGINT
);
CREATE INDEX password_links_user ON password_links (user_name) WHERE used_us IS NULL;

-- Browsers that somebody is logged in with. `used_us` is at most a minute behind.
CREATE TABLE sessions (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_name  TEXT COLLATE "C" NOT NULL REFERENCES users (name),
    hash       TEXT   NOT NULL,
    created_us BIGINT NOT NULL,
    used_us    BIGINT NOT NULL,
    expires_us BIGINT NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_name);

-- One-time tokens a server joins with.
CREATE TABLE join_tokens (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    server     TEXT COLLATE "C" NOT NULL,
    hash       TEXT   NOT NULL,
    created_us BIGINT NOT NULL,
    created_by TEXT   NOT NULL,
    expires_us BIGINT NOT NULL,
    used_us    BIGINT
);
CREATE INDEX join_tokens_server ON join_tokens (server) WHERE used_us IS NULL;

-- What a server authenticates with after it joined. Joining again revokes the earlier one.
CREATE TABLE credentials (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    server     TEXT COLLATE "C" NOT NULL,
    hash       TEXT   NOT NULL,
    created_us BIGINT NOT NULL,
    revoked_us BIGINT
);
CREATE UNIQUE INDEX credentials_server ON credentials (server) WHERE revoked_us IS NULL;

-- Every node file ever made. Servers are named by text and not by a reference: an old generation
-- outlives its server's removal from the estate.
CREATE TABLE nodes (
    server     TEXT COLLATE "C" NOT NULL,
    generation BIGINT NOT NULL CHECK (generation > 0),
    epoch      BIGINT NOT NULL CHECK (epoch > 0),
    digest     TEXT   NOT NULL,           -- of the content without its number, sealed
    text       TEXT   NOT NULL,           -- signed, compressed, sealed
    components TEXT   NOT NULL,           -- JSON: the component versions it needs; many servers need the same
    revision   BIGINT NOT NULL REFERENCES revisions (number),
    created_us BIGINT NOT NULL,
    PRIMARY KEY (server, generation)
);

-- What the resolution of each server read and came to. A row holds until something of what it read changes, so that no
-- server is resolved again because a control plane is new, and what a change reaches is known without resolving.
CREATE TABLE resolutions (
    server     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    revision   BIGINT NOT NULL REFERENCES revisions (number),
    digest     TEXT   NOT NULL,           -- of the node's content, sealed; of an empty text if there is no node
    reads      TEXT   NOT NULL,           -- JSON
    offers     TEXT   NOT NULL,           -- a digest of what its channel offered of the components it read
    updated_us BIGINT NOT NULL
);
-- A control plane that has read them reads only what others have written since.
CREATE INDEX resolutions_updated ON resolutions (updated_us);

-- What servers reported, as they sent it. Its head is in columns, so that a list reads no entries. A run is
-- reported once: of runs with the same start the first report stays.
CREATE TABLE reports (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    server      TEXT COLLATE "C" NOT NULL,
    received_us BIGINT NOT NULL,
    generation  BIGINT NOT NULL,
    outcome     TEXT   NOT NULL,
    started_us  BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    unchanged   BIGINT NOT NULL,
    entries     BIGINT NOT NULL,          -- how many
    report      TEXT   NOT NULL,          -- JSON
    UNIQUE (server, started_us)
);
CREATE INDEX reports_server ON reports (server, id);

-- How each server is: one row, written with each generation and each report, so that a page of servers is one
-- range of this table.
CREATE TABLE server_states (
    server              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    generation          BIGINT,
    reported_generation BIGINT,
    outcome             TEXT,
    reported_us         BIGINT,
    -- Runs that changed nothing repeat by themselves: they are counted here, and not in the audit log.
    unchanged_reports   BIGINT NOT NULL DEFAULT 0
);

-- Parameters that some published version declared secret. A row stays when that version leaves the
-- channels: its values are still in the estate and in old node files.
CREATE TABLE secret_parameters (
    component TEXT COLLATE "C" NOT NULL,
    parameter TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (component, parameter)
);

-- Background work. A control plane takes a job by writing itself into `owner` until `lease_until_us`; whoever
-- finds that time passed takes the job over, with the next `attempt`.
CREATE TABLE jobs (
    id                  BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind                TEXT   NOT NULL,
    input               TEXT   NOT NULL,  -- JSON
    unique_key          TEXT,             -- of the unfinished jobs with one key there is one
    state               TEXT   NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed', 'cancelled')),
    created_us          BIGINT NOT NULL,
    created_by          TEXT   NOT NULL,
    due_us              BIGINT NOT NULL,
    attempt             BIGINT NOT NULL,  -- 0 until it is first taken
    max_attempts        BIGINT NOT NULL,
    owner               TEXT,
    lease_until_us      BIGINT,
    cancel_requested_us BIGINT,
    progress_done       BIGINT NOT NULL,
    progress_total      BIGINT NOT NULL,  -- 0 while it is not known
    result              TEXT,             -- JSON, or why it failed
    finished_us         BIGINT,
    CHECK ((finished_us IS NULL) = (state IN ('waiting', 'running'))),
    CHECK ((state = 'running') = (owner IS NOT NULL))
);
CREATE UNIQUE INDEX jobs_unique_key ON jobs (unique_key) WHERE finished_us IS NULL;
CREATE INDEX jobs_due ON jobs (due_us) WHERE finished_us IS NULL;
CREATE INDEX jobs_finished ON jobs (finished_us) WHERE finished_us IS NOT NULL;

-- What a job said while it ran, line by line.
CREATE TABLE job_log (
    job   BIGINT NOT NULL REFERENCES jobs (id),
    line  BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    text  TEXT   NOT NULL,
    PRIMARY KEY (job, line)
);

-- Every write, by whom.
CREATE TABLE audit (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at_us   BIGINT NOT NULL,
    actor   TEXT   NOT NULL,              -- `token ci`, `server web-01`, `local administrator (uid 0)`
    action  TEXT   NOT NULL,              -- `commit`, `publish`, ...
    subject TEXT   NOT NULL,
    detail  TEXT   NOT NULL
);
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE OR DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();
CREATE TRIGGER audit_is_never_emptied BEFORE TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

-- One row that the health check writes: a database that only reads is not healthy.
CREATE TABLE health (
    id         BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    written_us BIGINT NOT NULL
);
INSERT INTO health (id, written_us) VALUES (1, 0);
