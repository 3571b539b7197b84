-- Moves the end of a partition. $1 next offset; $2 checksum; $3 time; $4 partition.
UPDATE partitions SET next = $1, crc = $2, appended_at = $3 WHERE partition = $4
