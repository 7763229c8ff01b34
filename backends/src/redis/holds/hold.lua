-- ARGV: booking, its seats rising between commas, the table's deadline, now, then the seats as they were asked for.
-- Answers: 'G' granted, 'N' not ready, 'T' and the seats that are taken between commas.
local booking, list, deadline, now = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local found = redis.call('HMGET', claims, 'ready', 'b' .. booking)
if not is_trusted(found[1]) then
  return 'N'
end
local wanted, fitting = {}, {}
for at = 5, #ARGV do
  local seat = tonumber(ARGV[at])
  wanted[#wanted + 1] = seat
  if seat < MAX_SEATS then
    fitting[#fitting + 1] = seat
  end
end
local own = found[2]
if own and deadlines_of({ tonumber(string.match(own, '^%d+')) })[1] > now then
  return own == list and 'G' or 'T' .. table.concat(wanted, ',')
end

local taken, stale, held = {}, {}, deadlines_of(fitting)
local at = 0
for _, seat in ipairs(wanted) do
  if seat >= MAX_SEATS then
    taken[#taken + 1] = string.format('%.0f', seat)
  else
    at = at + 1
    if held[at] > now then
      taken[#taken + 1] = seat
    elseif held[at] ~= 0 then
      stale[#stale + 1] = seat
    end
  end
end
if #taken > 0 then
  return 'T' .. table.concat(taken, ',')
end
if #wanted > 0 then
  if own then
    drop(booking)
  end
  take_over(stale)
  put(booking, list, seats_in(list), deadline)
end
return 'G'
