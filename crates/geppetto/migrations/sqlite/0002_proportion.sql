-- What changed after a revision is asked for by everybody who made a change from it.
CREATE INDEX objects_since ON objects (since);
CREATE INDEX objects_until ON objects (until) WHERE until IS NOT NULL;

-- Parameters that some published version declared secret. A row stays when that version leaves the
-- channels: its values are still in the estate and in old node files.
CREATE TABLE secret_parameters (
    component TEXT NOT NULL,
    parameter TEXT NOT NULL,
    PRIMARY KEY (component, parameter)
);

-- A report's head in columns, so that a list reads no entries; and one report for each run, so that a
-- report sent twice is stored once. Of runs with the same start the first report stays.
CREATE TABLE new_reports (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    server      TEXT    NOT NULL,
    received_us BIGINT  NOT NULL,
    generation  BIGINT  NOT NULL,
    outcome     TEXT    NOT NULL,
    started_us  BIGINT  NOT NULL,
    duration_us BIGINT  NOT NULL,
    unchanged   BIGINT  NOT NULL,
    entries     BIGINT  NOT NULL,         -- how many
    report      TEXT    NOT NULL,         -- JSON
    UNIQUE (server, started_us)
);
INSERT OR IGNORE INTO new_reports
    SELECT id, server, received_us, generation, outcome, json_extract(report, '$.started_us'),
           json_extract(report, '$.duration_us'), json_extract(report, '$.unchanged'),
           json_array_length(report, '$.entries'), report
    FROM reports ORDER BY id;
DROP TABLE reports;
ALTER TABLE new_reports RENAME TO reports;
CREATE INDEX reports_server ON reports (server, id);
