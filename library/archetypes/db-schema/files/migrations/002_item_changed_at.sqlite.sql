-- phase: expand
-- When an item changed last. SQLite cannot add a column whose default is computed, so the table is made anew.
CREATE TABLE item_new (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    price_cents BIGINT NOT NULL CHECK (price_cents >= 0),
    changed_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

INSERT INTO item_new (id, name, price_cents) SELECT id, name, price_cents FROM item;

DROP TABLE item;

ALTER TABLE item_new RENAME TO item;

CREATE UNIQUE INDEX item_name ON item (lower(name));
