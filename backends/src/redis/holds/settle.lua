-- ARGV: booking, 'B' booked for good, 'F' free again, 'E' and the table's deadline where that is later than it has, or
-- 'K' and the only seats it keeps, rising, between commas.
if ARGV[2] == 'F' then
  drop(ARGV[1])
  return 1
end
local list = redis.call('HGET', claims, 'b' .. ARGV[1])
if not list then
  return 1
end
if ARGV[2] == 'B' then
  set_deadline(seats_in(list), BOOKED)
  return 1
end
if ARGV[2] == 'E' then
  local seats = seats_in(list)
  -- Booked is later than any deadline.
  if deadlines_of({ seats[1] })[1] < tonumber(ARGV[3]) then
    set_deadline(seats, ARGV[3])
  end
  return 1
end
local keeps, kept, freed = ',' .. ARGV[3] .. ',', {}, {}
for _, seat in ipairs(seats_in(list)) do
  local to = string.find(keeps, ',' .. seat .. ',', 1, true) and kept or freed
  to[#to + 1] = seat
end
if #kept == 0 then
  drop(ARGV[1])
elseif #freed > 0 then
  redis.call('HSET', claims, 'b' .. ARGV[1], table.concat(kept, ','))
  free(freed)
end
return 1
