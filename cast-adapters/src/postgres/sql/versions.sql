-- The migrations that were run.
SELECT version FROM __diesel_schema_migrations ORDER BY version
