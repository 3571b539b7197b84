-- Finds the ticket whose period has begun last, if it is valid.
--
-- Atomic: the time and the meter are read at one moment, so what is shown as valid is valid then,
-- and the uses left are those of that moment. Writes nothing.
--
-- KEYS[1]  the meters
-- Returns  {ticket, valid_until, uses left}, or nil
local now, server = now_ms(), server_id()
-- Every member of a period that has begun comes before the first of those that begin after now.
local begun = '(' .. string.format('%016.0f', now + 1) .. ':'
for _, member in ipairs(redis.call('ZREVRANGEBYLEX', KEYS[1], begun, '-', 'LIMIT', 0, 8)) do
  local meter = parse_meter(member)
  -- What another server counted is lost here, as if it were not there.
  if meter and meter.server == server then
    if now >= tonumber(meter.ends) then
      return false
    end
    return { meter.ticket, meter.ends, digits(math.max(0, tonumber(meter.limit) - meter.used)) }
  end
end
return false
