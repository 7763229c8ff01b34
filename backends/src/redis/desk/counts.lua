-- ARGV: from_rank, now. Answers: active, admitted, came, came from that rank on, left.
advance(tonumber(ARGV[2]))
local counted = redis.call('HMGET', state, 'admitted', 'came', 'left')
return {
  math.max(redis.call('ZCARD', active) - 1, 0),
  tonumber(counted[1] or '0'),
  tonumber(counted[2] or '0'),
  redis.call('BITCOUNT', came, ARGV[1], -1, 'BIT'),
  tonumber(counted[3] or '0'),
}
