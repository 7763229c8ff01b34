-- ARGV: identity, place, rank or -1 where it is not noted, session, rate a minute, cap, length of a session in ms, now.
-- Answers: 'A', session, its last ms, 1 if it is new | 'F', ms to wait | 'N' | 'O', how it ended or ''.
local identity, place, rank, session = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local per_minute, cap, session_ms = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local now = advance(tonumber(ARGV[8]))

local LATEST_MS = 253370764799999
local CAP_RETRY_MS = 1000

if redis.call('HGET', state, 'p' .. identity) ~= place then
  return { 'N' }
end
local visit = redis.call('HGET', state, 'v' .. place)
if visit == 'L' then
  return { 'O', 'G' }
elseif visit then
  local ended, expires, admitted = admission(visit)
  if ended ~= '-' then
    return { 'O', ended }
  elseif expires <= now then
    return { 'O', '' }
  end
  return { 'A', admitted, text(expires), '0' }
end

local function note_that_they_came()
  if rank >= 0 and redis.call('SETBIT', came, rank, 1) == 0 then
    redis.call('HINCRBY', state, 'came', 1)
  end
end

-- The rate: DeskState's GCRA in ns after the last admission, so that every number that decides is exact in 53 bits. So
-- long after it that the number would not be, there is room anyway.
per_minute = math.max(per_minute, 1)
local interval = math.floor((60e9 + per_minute - 1) / per_minute) + (per_minute < 60 and 1e6 or 0)
local tolerance = math.max(1e9 - interval, 0)
local rate = redis.call('HMGET', state, 'last', 'due')
local since = (now - tonumber(rate[1] or '0')) * 1e6
local due = math.min(tonumber(rate[2] or '0'), tolerance + interval)
local wait = math.max(math.ceil((due - tolerance - since) / 1e6), 0)

-- The cap. One entry of the sorted set is no session.
if redis.call('ZCARD', active) - 1 >= cap then
  local first_ends = tonumber(redis.call('ZRANGE', active, 0, 0, 'WITHSCORES')[2])
  wait = math.max(wait, math.max(1, math.min(first_ends - now, CAP_RETRY_MS)))
end
if wait > 0 then
  note_that_they_came()
  return { 'F', text(wait) }
end

local expires = text(math.min(now + session_ms, LATEST_MS))
note_that_they_came()
redis.call('HSET', state,
  'v' .. place, '-' .. expires .. ' ' .. session,
  's' .. session, place,
  'last', text(now),
  'due', text(math.max(due - since, 0) + interval))
redis.call('HINCRBY', state, 'admitted', 1)
redis.call('ZADD', active, expires, place)
redis.call('RPUSH', changes, 'A' .. expires .. ' ' .. place)
return { 'A', session, expires, '1' }
