-- ARGV: session, why ('B', 'G' or 'R'), now. Answers 1 if its admission ended.
advance(tonumber(ARGV[3]))
local place = redis.call('HGET', state, 's' .. ARGV[1])
return place and finish(place, ARGV[2]) or 0
