-- Prelude: the server's clock, in milliseconds since the Unix epoch.
--
-- Each script reads it, so one clock decides which ticket is valid or expired and how old a tally is,
-- for all processes.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A number as Redis needs it, with all its digits: tostring() writes only 14.
local function digits(number)
  return string.format('%.0f', number)
end
