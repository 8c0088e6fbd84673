-- Choices that hold for every table:
-- * Times are BIGINT microseconds since 1970-01-01 UTC, never text: texts of times sort wrongly as soon
--   as one of them drops its zero fraction, and PostgreSQL keeps microseconds too.
-- * Column types are those PostgreSQL knows as well (TEXT, BIGINT), so that its migrations differ from
--   these only in how row numbers are generated.
-- * What is secret is kept as a SHA-256 in hexadecimal, and only if it was drawn from 256 random bits.

-- A revision is one committed state of all roles, groups, environments and servers.
CREATE TABLE revisions (
    number     BIGINT NOT NULL PRIMARY KEY CHECK (number > 0),
    created_us BIGINT NOT NULL,
    author     TEXT   NOT NULL,
    message    TEXT   NOT NULL
);

-- An object's text, and the span of revisions it was in force: since <= revision < until.
-- A revision therefore costs what it changes, not what there is, and every old one can still be read whole.
CREATE TABLE objects (
    path    TEXT   NOT NULL,              -- roles/web.yaml
    since   BIGINT NOT NULL REFERENCES revisions (number),
    until   BIGINT REFERENCES revisions (number),
    text    TEXT   NOT NULL,              -- canonical YAML
    origins TEXT   NOT NULL,              -- JSON: who said each value, and in which revision
    PRIMARY KEY (path, since),
    CHECK (until IS NULL OR until > since)
);
-- At most one text of an object is in force.
CREATE UNIQUE INDEX objects_current ON objects (path) WHERE until IS NULL;

-- People's and programs' tokens. `id` is the public part of the token, shown in lists and the audit log.
CREATE TABLE tokens (
    id         TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    role       TEXT   NOT NULL CHECK (role IN ('viewer', 'developer', 'operator', 'admin')),
    hash       TEXT   NOT NULL,
    created_us BIGINT NOT NULL,
    created_by TEXT   NOT NULL,
    expires_us BIGINT,
    revoked_us BIGINT
);
-- A name can be given again once its token is revoked; the old row stays, for the audit log's sake.
CREATE UNIQUE INDEX tokens_name ON tokens (name) WHERE revoked_us IS NULL;

-- One-time tokens a server joins with.
CREATE TABLE join_tokens (
    id         TEXT   NOT NULL PRIMARY KEY,
    server     TEXT   NOT NULL,
    hash       TEXT   NOT NULL,
    created_us BIGINT NOT NULL,
    created_by TEXT   NOT NULL,
    expires_us BIGINT NOT NULL,
    used_us    BIGINT
);

-- What a server shows after it joined. Joining again revokes the earlier one.
CREATE TABLE credentials (
    id         TEXT   NOT NULL PRIMARY KEY,
    server     TEXT   NOT NULL,
    hash       TEXT   NOT NULL,
    created_us BIGINT NOT NULL,
    revoked_us BIGINT
);
CREATE UNIQUE INDEX credentials_server ON credentials (server) WHERE revoked_us IS NULL;

-- Every node file ever made. Servers are named by text and not by a reference: an old generation
-- outlives its server's removal from the estate.
CREATE TABLE nodes (
    server     TEXT   NOT NULL,
    generation BIGINT NOT NULL CHECK (generation > 0),
    digest     TEXT   NOT NULL,           -- of the content without its number: same digest, same generation
    text       TEXT   NOT NULL,           -- signed
    revision   BIGINT NOT NULL REFERENCES revisions (number),
    created_us BIGINT NOT NULL,
    PRIMARY KEY (server, generation)
);

-- Which component versions a generation needs, so that retention asks the index and reads no node file.
CREATE TABLE node_components (
    server     TEXT   NOT NULL,
    generation BIGINT NOT NULL,
    name       TEXT   NOT NULL,
    version    TEXT   NOT NULL,
    PRIMARY KEY (server, generation, name),
    FOREIGN KEY (server, generation) REFERENCES nodes (server, generation)
);
CREATE INDEX node_components_version ON node_components (name, version);

-- What servers reported, as they sent it.
CREATE TABLE reports (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    server      TEXT    NOT NULL,
    received_us BIGINT  NOT NULL,
    generation  BIGINT  NOT NULL,
    outcome     TEXT    NOT NULL,
    report      TEXT    NOT NULL          -- JSON
);
CREATE INDEX reports_server ON reports (server, id);

-- Every write, by whom. AUTOINCREMENT never gives a number twice, so a missing one would show.
CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at_us   BIGINT NOT NULL,
    actor   TEXT   NOT NULL,              -- `token ci`, `server web-01`, `local user root`
    action  TEXT   NOT NULL,              -- `import`, `publish`, ...
    subject TEXT   NOT NULL,
    detail  TEXT   NOT NULL
);
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
