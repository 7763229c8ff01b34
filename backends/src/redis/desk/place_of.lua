-- ARGV: identity. Answers: nothing, or the place and how it ended ('-': not).
local place = redis.call('HGET', state, 'p' .. ARGV[1])
if not place then
  return {}
end
local visit = redis.call('HGET', state, 'v' .. place)
if not visit then
  return { place, '-' }
end
return { place, visit == 'L' and 'G' or string.sub(visit, 1, 1) }
