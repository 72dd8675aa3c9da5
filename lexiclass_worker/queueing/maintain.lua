-- Says that a worker is there, puts back what silent workers have fetched from a queue, and removes
-- dead letters that are too old: what Dramatiq's maintenance does at commands, which looks through
-- all keys of Redis for each silent worker, and through any number of these. This looks at some of
-- them, and answers how many it has looked at in their order and left, for the next to go on from.

local heartbeats, list, messages, dead, dead_messages = unpack(KEYS)
local worker, now, timeout, letter_ttl = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local acks_prefix, queue, position = ARGV[5], ARGV[6], tonumber(ARGV[7])
local forget_after = tonumber(ARGV[8])
local MOST_WORKERS = 100
local MOST_MESSAGES = 1000

redis.call('zadd', heartbeats, now, worker)

local moved = 0
local function put_back(silent)
    local acks = acks_prefix .. silent .. '.' .. queue
    if moved >= MOST_MESSAGES or redis.call('exists', acks) == 0 then
        return
    end
    for _, key in ipairs(redis.call('spop', acks, MOST_MESSAGES - moved)) do
        moved = moved + 1
        if redis.call('hexists', messages, key) == 1 then
            redis.call('rpush', list, key)
        end
    end
end

local function has_fetched(silent)
    for i = 9, #ARGV do
        if redis.call('exists', acks_prefix .. silent .. '.' .. ARGV[i]) == 1 then
            return true
        end
    end
    return false
end

-- Those that have just gone silent may have fetched something.
local newest = redis.call('zrevrangebyscore', heartbeats, now - timeout, '-inf', 'limit', 0, MOST_WORKERS)
for _, silent in ipairs(newest) do
    put_back(silent)
end
local some = redis.call(
    'zrangebyscore', heartbeats, '-inf', now - timeout, 'withscores', 'limit', position, MOST_WORKERS)
local left = 0
for i = 1, #some, 2 do
    put_back(some[i])
    -- Workers of others, in this namespace, may have fetched from queues of their own: these have a
    -- day to find that out.
    if tonumber(some[i + 1]) < now - forget_after and not has_fetched(some[i]) then
        redis.call('zrem', heartbeats, some[i])
    else
        left = left + 1
    end
end

local old = redis.call('zrangebyscore', dead, '-inf', now - letter_ttl, 'limit', 0, MOST_MESSAGES)
if #old > 0 then
    redis.call('zrem', dead, unpack(old))
    redis.call('hdel', dead_messages, unpack(old))
end
return #some == 2 * MOST_WORKERS and position + left or 0
