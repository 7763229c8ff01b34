-- ARGV: booking, 'B' booked for good or 'F' free again.
if ARGV[2] == 'F' then
  drop(ARGV[1])
  return 1
end
local list = redis.call('HGET', claims, 'b' .. ARGV[1])
if list then
  set_deadline(seats_in(list), BOOKED)
end
return 1
