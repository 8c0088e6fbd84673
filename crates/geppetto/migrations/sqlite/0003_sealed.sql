-- Texts of objects and node files hold secrets, and a digest of a node file lets them be guessed at: all three
-- are sealed with a key that is not in the database. The one row here was sealed with the same key, so that a
-- wrong key is known before anything is written with it.
CREATE TABLE seal (
    only   BIGINT NOT NULL PRIMARY KEY CHECK (only = 1),
    sealed TEXT   NOT NULL
);
