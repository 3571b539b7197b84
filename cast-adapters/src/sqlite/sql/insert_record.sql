-- Appends a record. $1 position; $2 time; $3 checksum; $4 bytes.
INSERT INTO records (position, appended_at, crc, bytes) VALUES ($1, $2, $3, $4)
