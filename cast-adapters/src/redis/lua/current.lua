-- Finds the ticket of the latest period that has begun, if it is valid.
--
-- Atomic: the time and the use counter are read at one moment, so the ticket is valid and the uses are
-- left at that moment. Writes nothing.
--
-- KEYS[1]  the use counters
-- Returns  {ticket, valid_until, uses left}, or nil
local now, server = now_ms(), server_id()
-- Every member of a period that has begun comes before the first of those that begin after now.
local begun = '(' .. string.format('%016.0f', now + 1) .. ':'
for _, member in ipairs(redis.call('ZREVRANGEBYLEX', KEYS[1], begun, '-', 'LIMIT', 0, 8)) do
  local counter = parse_use_counter(member)
  -- A use counter of another server is ignored, as if it were lost.
  if counter and counter.server == server then
    if now >= tonumber(counter.ends) then
      return false
    end
    return { counter.ticket, counter.ends, digits(math.max(0, tonumber(counter.limit) - counter.used)) }
  end
end
return false
