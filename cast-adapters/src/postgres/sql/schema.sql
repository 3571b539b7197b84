-- The state of the schema: whether migrations were ever run, the tables that are missing, those that
-- this role may not read, and the encoding of the database.
SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL,
       coalesce(array_agg(name) FILTER (WHERE to_regclass(name) IS NULL), '{}'),
       coalesce(array_agg(name) FILTER (WHERE NOT has_table_privilege(to_regclass(name), 'SELECT')), '{}'),
       current_setting('server_encoding')
FROM unnest(ARRAY['__diesel_schema_migrations', 'progress', 'ballots', 'totals', 'candidates', 'rejected', 'votes'])
    AS ours (name)
