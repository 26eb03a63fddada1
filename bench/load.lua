-- What wrk sends, and one line of JSON about how it went.
-- arguments: same | codes COUNT [HOT] | create PREFIX | addresses
local counter = 0
function setup(thread)
  counter = counter + 1
  thread:set("number", counter)
end

function init(arguments)
  local mode = arguments[1] or "same"
  if mode == "codes" then
    -- The codes that bench.py inserted: b0000000 to b<COUNT - 1>, or HOT of them spread over all; each of those is
    -- as likely as another.
    local count = tonumber(arguments[2])
    local hot = tonumber(arguments[3] or count)
    local step = math.floor(count / hot)
    math.randomseed(number * 7919 + os.time())
    request = function()
      return wrk.format("GET", string.format("/b%07d", math.random(0, hot - 1) * step))
    end
  elseif mode == "addresses" then
    -- Of IPv4 blocks in which nothing is reserved.
    local blocks = {2, 5, 8, 23, 31, 41, 46, 62, 77, 81, 91, 104, 109, 133, 151, 178, 185, 190, 201, 212}
    math.randomseed(number * 7919 + os.time())
    request = function()
      return wrk.format("GET", string.format("/api/geoip/%d.%d.%d.%d", blocks[math.random(#blocks)],
        math.random(0, 255), math.random(0, 255), math.random(0, 255)))
    end
  elseif mode == "create" then
    local sent = 0
    request = function()
      sent = sent + 1
      return wrk.format("POST", nil, nil, string.format(
        '{"destinationUrl":"https://example.com/%s/%d/%d"}', arguments[2], number, sent))
    end
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"seconds":%.6f,"answers":%d,"refused":%d,"broken":%d,"timeouts":%d,' ..
    '"p50":%.3f,"p99":%.3f,"max":%.3f}\n',
    summary.duration / 1e6, summary.requests, errors.status,
    errors.connect + errors.read + errors.write, errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
