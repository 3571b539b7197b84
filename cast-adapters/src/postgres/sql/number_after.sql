-- The next candidate without a number gets one after all that were imported.
SELECT setval(pg_get_serial_sequence('candidates', 'id'), max(id)) FROM candidates HAVING count(*) > 0
