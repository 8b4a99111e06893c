-- Creates tokens, each of another name: wrk -s create.lua URL -- TOKEN.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
  thread:set("number", #threads)
end

function init(args)
  head = { ["Authorization"] = "Bearer " .. args[1], ["Content-Type"] = "application/json" }
  run, count, wrong = os.time(), 0, 0
end

function request()
  count = count + 1
  return wrk.format("POST", "/api/v3/enterprise/configure/token", head, string.format(
    '{"token_name":"made-%d-%d-%d","permissions":[{"resource_type":"db","resource_names":["a"],"actions":["read"]}]}',
    run, number, count))
end

function response(status) if status ~= 201 then wrong = wrong + 1 end end

function done(summary)
  local wrong = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  for _, thread in ipairs(threads) do wrong = wrong + thread:get("wrong") end
  io.write(string.format("RESULT %.0f %d\n", summary.requests * 1e6 / summary.duration, wrong))
end
