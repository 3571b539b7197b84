DROP TABLE records;
DROP TABLE partitions;
