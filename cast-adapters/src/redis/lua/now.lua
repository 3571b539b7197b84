-- Tells the time of the server that has the tickets: the one whose clock decides about them.
--
-- KEYS[1]  the meters, which only say where that is
-- Returns  milliseconds since the Unix epoch
return digits(now_ms())
