-- Inserts a ballot if its id is new. $1 id; $2 position; $3 content.
INSERT INTO ballots (id, position, content) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING
