-- The end of a partition: next offset, checksum and time of the last record. $1 partition.
SELECT next, crc, appended_at FROM partitions WHERE partition = $1
