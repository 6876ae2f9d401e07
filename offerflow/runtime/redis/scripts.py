"""The Lua scripts. Each runs atomically on one partition's keys, which share one hash tag, so one cluster slot.

A script does not roll back on error: everything is checked before the first write, and `dirty` is set around the
writes, so that a script that dies half-way leaves a mark. Written for Redis 7.0 and Valkey alike.

KEYS[1] is the partition's meta hash, the others are its state buckets in use. A bucket's entities come as a count
followed by that many arguments (or pairs), in the order of KEYS.
"""

LOAD = """
local answer = redis.call('HMGET', KEYS[1], 'next', 'dirty', 'fold')
local at = 1
for k = 2, #KEYS do
  local n = tonumber(ARGV[at])
  local found = redis.call('HMGET', KEYS[k], unpack(ARGV, at + 1, at + n))
  for i = 1, n do answer[#answer + 1] = found[i] end
  at = at + n + 1
end
return answer
"""
"""ARGV: per bucket n, entity * n. Answer: next, dirty, fold, then the states, nil where there is none."""

APPLY = """
local meta = redis.call('HMGET', KEYS[1], 'next', 'dirty', 'batch')
local from, token = ARGV[1], ARGV[3]
if meta[2] then return 'dirty' end
if meta[3] == token then return 'done' end
if (meta[1] or '0') ~= from then return 'moved' end
redis.call('HSET', KEYS[1], 'dirty', token)
local at = 5 + tonumber(ARGV[4])
for k = 2, #KEYS do
  local n = tonumber(ARGV[at])
  redis.call('HSET', KEYS[k], unpack(ARGV, at + 1, at + n))
  at = at + n + 1
end
redis.call('HSET', KEYS[1], 'next', ARGV[2], 'batch', token, unpack(ARGV, 5, 4 + tonumber(ARGV[4])))
redis.call('HDEL', KEYS[1], 'dirty')
return 'ok'
"""
"""ARGV: from, to, token, m, m fields and values of meta, then per bucket n, (entity, state) * n/2.
Answer: ok, done (this very batch was applied before), moved or dirty (nothing was written)."""

DROP = """
if redis.call('HGET', KEYS[1], 'dirty') ~= ARGV[1] then return 0 end
redis.call('UNLINK', unpack(KEYS, 2))
redis.call('UNLINK', KEYS[1])
return 1
"""
"""ARGV: the dirty token that was read. Drops the partition's states and meta only if it still stands."""
