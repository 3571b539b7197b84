-- Prelude: the server's clock, in milliseconds since the Unix epoch.
--
-- It is asked inside each script, so that what is valid, what is expired and how old a tally is are
-- decided by one clock, whichever process asks.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A number as Redis wants it, with all its digits: Lua's own way to write one ends at 14.
local function digits(number)
  return string.format('%.0f', number)
end
