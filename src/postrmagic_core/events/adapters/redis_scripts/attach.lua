-- Where a listener stands. ARGV: a token for a stream that has to be begun, milliseconds after which one that nobody
-- uses vanishes, the id that was heard last, or empty. Answers with: whether that entry is in the stream's past, the
-- predecessor of the first that is left, the last, what the stream began with, and the name of the server's history,
-- which changes when it is restarted or promoted (empty where it may not be asked for).
local token, idle, heard = ARGV[1], ARGV[2], ARGV[3]
local stream = standing() or begun(token)
redis.call('PEXPIRE', key, idle)
local kept = 0
if heard == stream.id or heard ~= '' and #redis.call('XRANGE', key, heard, heard) == 1 then
  kept = 1
end
local info = redis.pcall('INFO', 'replication')
local history = type(info) == 'string' and string.match(info, 'master_replid:(%x+)') or ''
return {kept, stream.start, stream.id, stream.since, history}
