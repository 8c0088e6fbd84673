-- phase: expand
-- When an item changed last. The engines differ here, so each has its own text.
ALTER TABLE item ADD COLUMN changed_at TIMESTAMPTZ NOT NULL DEFAULT now();

CREATE UNIQUE INDEX item_name ON item (lower(name));
