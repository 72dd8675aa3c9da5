"""The script by which Redis notes new messages of a queue and hands out the first ones.

Arguments and answer are those of :mod:`lexiclass_worker.repositories.queue_order`. Beside the list
of a queue there are: ``noted``, a hash of the keys that are in the index and their groups;
``order``, a sorted set of the keys without a group ("k") and of the groups ("g"), each with the
place of its first message; and a sorted set of each group's keys. So a group that may not run is
passed over in one step, however many messages it has. A delay queue is in the order in which its
messages are due, without groups.
"""

from typing import Final

TAKE: Final = """
local list, messages, acks, order, noted, heartbeats = unpack(KEYS)
local worker, now, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
local offset, piece, step = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local priorities, limited = cjson.decode(ARGV[7]), cjson.decode(ARGV[8])
local blocked = cjson.decode(ARGV[9])
local due = tonumber(ARGV[10])
local ALL_NOTED, LARGE, END = -1, 65536, 16384

local function whole(value, low, high)
    if type(value) ~= 'number' or value ~= value then
        return nil
    end
    return math.max(low, math.min(high, math.floor(value)))
end

local function field(value, name)
    if type(value) == 'table' then
        return value[name]
    end
end

-- A message with a million ids is not decoded, which would take seconds: Dramatiq writes the
-- fields in this order. What is written otherwise is taken for a message without a priority.
local function decode_ends(entry)
    local rest = string.match(string.sub(entry, -END), '.*("options":%s*{.*)$')
    local is_json, message = pcall(cjson.decode, '{' .. (rest or '}'))
    if not is_json then
        message = {}
    end
    message.actor_name = string.match(string.sub(entry, 1, END), '"actor_name":%s*"([^"]*)"')
    message.kwargs = {project_id = tonumber(string.match(entry, '"project_id":%s*(%d+)'))}
    return message
end

local function decode(entry)
    if #entry > LARGE then
        return decode_ends(entry)
    end
    local is_json, message = pcall(cjson.decode, entry)
    return is_json and message or nil
end

-- What is no message goes first: the worker makes it a dead letter.
local function describe(key)
    local message = decode(redis.call('hget', messages, key) or '')
    if type(message) ~= 'table' then
        return -1000 * step, ''
    end
    if due then
        return whole(field(field(message, 'options'), 'eta'), 0, 2 ^ 53) or 0, ''
    end
    local actor = field(message, 'actor_name')
    if type(actor) ~= 'string' then
        actor = ''
    end
    local priority = whole(field(field(message, 'options'), 'priority'), -1000, 1000)
        or priorities[actor] or 0
    local sent = whole(field(message, 'message_timestamp'), 0, step - 1) or 0
    local project = field(field(message, 'kwargs'), 'project_id')
    local group = ''
    if limited[actor] and type(project) == 'number' then
        group = actor .. '/' .. string.format('%.0f', project)
    end
    return priority * step + sent, group
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

local function note(key)
    local score, group = describe(key)
    score = string.format('%.0f', score)
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
            redis.call('del', keys_of(string.sub(member, 2)))
        end
    end
    redis.call('del', order, noted)
end

-- New messages are at the end of the list. Returns where to go on, or ALL_NOTED.
local function note_new(length)
    local last = redis.call('lindex', list, -1)
    if offset == 0 and redis.call('hlen', noted) == length
            and redis.call('hexists', noted, last) == 1 then
        return ALL_NOTED
    end
    local count = 0
    while offset < length do
        local keys = redis.call('lrange', list, -(offset + 100), -(offset + 1))
        for _, key in ipairs(keys) do
            if redis.call('hexists', noted, key) == 0 then
                note(key)
                count = count + 1
            end
        end
        offset = offset + #keys
        if redis.call('hlen', noted) == length then
            return ALL_NOTED
        end
        if count >= piece then
            return offset
        end
    end
    if redis.call('hlen', noted) > length then
        forget_all()
        return 0
    end
    return ALL_NOTED
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
local answer = {note_new(length)}
if answer[1] ~= ALL_NOTED then
    return answer
end
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
        local entry = remove(key, priority) and redis.call('hget', messages, key)
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
