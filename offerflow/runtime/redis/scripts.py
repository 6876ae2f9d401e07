"""The Lua scripts. Each runs atomically on one partition's keys, which share one hash tag, so one cluster slot.

A script does not roll back on error: everything is checked before the first write, and `dirty` is set around the
writes, so that a script that dies half-way leaves a mark. Written for Redis 7.0 and Valkey alike.

KEYS[1] is the partition's meta hash. Lua unpacks fewer than 8,000 arguments, so longer lists come in several parts.
"""

LOAD = """
local answer = redis.call('HMGET', KEYS[1], 'next', 'dirty', 'fold', 'layout')
local at = 1
for k = 2, #KEYS do
  local n = tonumber(ARGV[at])
  local found = redis.call('HMGET', KEYS[k], unpack(ARGV, at + 1, at + n))
  for i = 1, n do answer[#answer + 1] = found[i] end
  at = at + n + 1
end
return answer
"""
"""KEYS: meta, then the buckets asked. ARGV: per bucket n, entity * n. Answer: next, dirty, fold, layout, then the
states, nil where there is none."""

LOAD_DUE = """
local crcs = {}
for n = 0, 255 do
  local c = n
  for _ = 1, 8 do
    if bit.band(c, 1) == 1 then c = bit.bxor(0xEDB88320, bit.rshift(c, 1)) else c = bit.rshift(c, 1) end
  end
  crcs[n] = c
end
local function state(entity)
  local c = 0xFFFFFFFF
  for i = 1, #entity do
    c = bit.bxor(crcs[bit.band(bit.bxor(c, string.byte(entity, i)), 0xFF)], bit.rshift(c, 8))
  end
  return redis.call('HGET', KEYS[4 + bit.band(bit.bnot(c), 63)], entity)
end
local answer = redis.call('HMGET', KEYS[1], 'next', 'dirty', 'fold', 'layout')
local due = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])
answer[#answer + 1] = #due / 2
for i = 1, #due, 2 do
  answer[#answer + 1] = due[i]
  answer[#answer + 1] = due[i + 1]
  answer[#answer + 1] = state(due[i])
end
local open = {}
if ARGV[4] ~= '0' then open = redis.call('ZRANGEBYLEX', KEYS[3], ARGV[3], '+', 'LIMIT', 0, ARGV[4]) end
answer[#answer + 1] = #open
for _, entity in ipairs(open) do
  answer[#answer + 1] = entity
  answer[#answer + 1] = state(entity)
end
local at = 5
while at < #ARGV do
  local n = tonumber(ARGV[at + 1])
  local found = redis.call('HMGET', KEYS[4 + ARGV[at]], unpack(ARGV, at + 2, at + 1 + n))
  for i = 1, n do answer[#answer + 1] = found[i] end
  at = at + n + 2
end
return answer
"""
"""KEYS: meta, tm, open, all buckets. ARGV: until, how many timers, lexical start, how many of ``open``, then per bucket
its number, n, entity * n. Answer: next, dirty, fold, layout, d, (entity, fire_at, state) * d, o, (entity, state) * o,
states.
The function finds an entity's bucket as the store does: CRC-32 of its name."""

APPLY = """
local meta = redis.call('HMGET', KEYS[1], 'next', 'dirty', 'batch')
local from, token = ARGV[1], ARGV[3]
if meta[2] then return 'dirty' end
if meta[3] == token then return 'done' end
if (meta[1] or '0') ~= from then return 'moved' end
redis.call('HSET', KEYS[1], 'dirty', token)
local at = 5 + tonumber(ARGV[4])
for k = 2, #KEYS do
  local n = tonumber(ARGV[at + 1])
  redis.call(ARGV[at], KEYS[k], unpack(ARGV, at + 2, at + 1 + n))
  at = at + n + 2
end
redis.call('HSET', KEYS[1], 'next', ARGV[2], 'batch', token, unpack(ARGV, 5, 4 + tonumber(ARGV[4])))
redis.call('HDEL', KEYS[1], 'dirty')
return 'ok'
"""
"""KEYS: meta, then a key per write. ARGV: from, to, token, m, m fields and values of meta, then per write its command,
n, n arguments. Answer: ok, done (this very batch was applied before), moved or dirty (nothing was written)."""

DROP = """
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
redis.call('UNLINK', unpack(KEYS, 2))
redis.call('UNLINK', KEYS[1])
return 1
"""
"""ARGV: a field of meta and what was read there, empty for none. Drops the partition's states, timers and meta only if
that still stands."""
