-- Returns the time of the server that has the tickets, whose clock decides about them.
--
-- KEYS[1]  the use counters; the script does not read them, but runs on the node that has them
-- Returns  milliseconds since the Unix epoch
return digits(now_ms())
