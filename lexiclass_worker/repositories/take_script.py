"""The script by which Redis notes new messages of a queue and hands out the first ones.

Arguments and answer are those of :mod:`lexiclass_worker.repositories.queue_order`. Beside the list
of a queue there are: ``noted``, a hash of the keys that are in the index and their groups;
``order``, a sorted set of the keys without a group ("k") and of the groups ("g"), each with the
place of its first message; and a sorted set of each group's keys. So a group that may not run is
passed over in one step, however many messages it has. A delay queue is in the order in which its
messages are due, without groups.

Redis does nothing else while a script runs, so this one reads no message: it asks its caller for
the place of those that are new, and hands over their entries, up to so many bytes; larger ones are
left to be fetched by themselves.
"""

from typing import Final

TAKE: Final = """
local list, messages, acks, order, noted, heartbeats = unpack(KEYS)
local worker, now, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
local offset, piece = tonumber(ARGV[4]), tonumber(ARGV[5])
local most_bytes, large = tonumber(ARGV[6]), tonumber(ARGV[7])
local step, due = tonumber(ARGV[8]), tonumber(ARGV[9])
local blocked = cjson.decode(ARGV[10])
local ALL_NOTED = -1

-- What the caller has read of the messages it was asked for: place and group.
local described = {}
for i = 11, #ARGV, 3 do
    described[ARGV[i]] = {ARGV[i + 1], ARGV[i + 2]}
end

local function keys_of(group)
    return order .. '.' .. group
end

local function place(group)
    local first = redis.call('zrange', keys_of(group), 0, 0, 'withscores')
    if #first == 0 then
        redis.call('zrem', order, 'g' .. group)
    else
        redis.call('zadd', order, first[2], 'g' .. group)
    end
end

local function note(key, score, group)
    redis.call('hset', noted, key, group)
    if group == '' then
        redis.call('zadd', order, score, 'k' .. key)
    else
        redis.call('zadd', keys_of(group), score, key)
        place(group)
    end
end

local function forget(key, group)
    redis.call('hdel', noted, key)
    if group == '' then
        redis.call('zrem', order, 'k' .. key)
    else
        redis.call('zrem', keys_of(group), key)
        place(group)
    end
end

local function forget_all()
    for _, member in ipairs(redis.call('zrange', order, 0, -1)) do
        if string.sub(member, 1, 1) == 'g' then
            redis.call('unlink', keys_of(string.sub(member, 2)))
        end
    end
    redis.call('unlink', order, noted)
end

-- The entry, or nothing if it is large: the caller fetches it.
local function entry_of(key)
    if redis.call('hstrlen', messages, key) > large then
        return ''
    end
    return redis.call('hget', messages, key)
end

-- New messages are at the end of the list. Returns ALL_NOTED, or where to go on and the new ones
-- whose places are asked for.
local function note_new(length)
    local last = redis.call('lindex', list, -1)
    if offset == 0 and redis.call('hlen', noted) == length
            and redis.call('hexists', noted, last) == 1 then
        return ALL_NOTED, {}
    end
    local asked, bytes, first = {}, 0, nil
    while offset < length do
        local keys = redis.call('lrange', list, -(offset + 100), -(offset + 1))
        for _, key in ipairs(keys) do
            if redis.call('hexists', noted, key) == 0 then
                local entry = not described[key] and entry_of(key)
                if described[key] then
                    note(key, unpack(described[key]))
                elseif not entry then
                    -- No message: it goes first, and out.
                    note(key, string.format('%.0f', -1000 * step), '')
                else
                    first = first or offset
                    bytes = bytes + #entry
                    asked[#asked + 1] = key
                    asked[#asked + 1] = entry
                    if #asked >= 2 * piece or bytes >= most_bytes then
                        return first, asked
                    end
                end
            end
        end
        offset = offset + #keys
        if redis.call('hlen', noted) == length then
            return ALL_NOTED, {}
        end
    end
    if first then
        return first, asked
    end
    if redis.call('hlen', noted) > length then
        forget_all()
        return 0, {}
    end
    return ALL_NOTED, {}
end

local function priority_of(key)
    local group = redis.call('hget', noted, key)
    local score = false
    if group == '' then
        score = redis.call('zscore', order, 'k' .. key)
    elseif group then
        score = redis.call('zscore', keys_of(group), key)
    end
    return score and math.floor(tonumber(score) / step)
end

local function remove(key, priority)
    local head = redis.call('lindex', list, 0)
    if head == key then
        redis.call('lpop', list)
        return true
    end
    -- What has another priority than the oldest message has mostly overtaken it, and is new.
    local direction = priority_of(head) == priority and 1 or -1
    return redis.call('lrem', list, direction, key) == 1
end

redis.call('zadd', heartbeats, now, worker)
local length = redis.call('llen', list)
if length == 0 then
    forget_all()
    return {ALL_NOTED}
end
local go_on_at, asked = note_new(length)
if go_on_at ~= ALL_NOTED then
    table.insert(asked, 1, go_on_at)
    return asked
end
local answer = {ALL_NOTED}
local taken, position, is_early = 0, 0, false
while taken < most do
    local member, score = unpack(redis.call('zrange', order, position, position, 'withscores'))
    is_early = due and member and tonumber(score) > due
    if not member or is_early then
        break
    end
    local key, group = string.sub(member, 2), ''
    if string.sub(member, 1, 1) == 'g' then
        group = key
        key = redis.call('zrange', keys_of(group), 0, 0)[1]
    end
    if blocked[group] then
        position = position + 1
    elseif not key then
        redis.call('zrem', order, member)
    else
        local priority = priority_of(key)
        forget(key, group)
        local entry = remove(key, priority) and entry_of(key)
        if entry then
            redis.call('sadd', acks, key)
            taken = taken + 1
            answer[#answer + 1] = key
            answer[#answer + 1] = entry
            answer[#answer + 1] = group
            if group ~= '' then
                blocked[group] = 1
            end
        end
    end
end
-- Somebody has removed part of the index.
if most > 0 and taken == 0 and position == 0 and not is_early and redis.call('llen', list) > 0 then
    forget_all()
    return {0}
end
return answer
"""
