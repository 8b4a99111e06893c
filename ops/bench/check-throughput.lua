-- Asks what the lines of a file say, over and over, and judges each answer: wrk -s check-throughput.lua URL -- FILE.
-- A line is name, status, a part of the body (or -), method, path, token (or -) and body (or -), by tabs. The server
-- sends the X-Request-Id back, by which an answer finds its question.

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init(args)
  requests, expected, names = {}, {}, {}
  asked, wrong, example = 0, 0, ""
  for line in io.lines(args[1]) do
    local name, status, part, method, path, token, body = line:match(
      "^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)$")
    local headers = {["X-Request-Id"] = tostring(#requests + 1)}
    if token ~= "-" then headers["Authorization"] = "Bearer " .. token end
    if path == "/api/v1/forward-auth" then
      headers["X-Original-Method"] = "POST"
      headers["X-Original-URI"] = "/write?db=a"
    end
    if body ~= "-" then headers["Content-Type"] = "application/json" end
    names[#requests + 1] = name
    expected[tostring(#requests + 1)] = {name = name, status = tonumber(status), part = part ~= "-" and part or nil}
    requests[#requests + 1] = wrk.format(method, path, headers, body ~= "-" and body or nil)
  end
  -- Threads that begin at one place would all ask for the same token at once.
  at = number * 997 % #requests
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function response(status, headers, body)
  local question = expected[headers["X-Request-Id"]]
  asked = asked + 1
  if question == nil or status ~= question.status
    or (question.part and not body:find(question.part, 1, true)) then
    wrong = wrong + 1
    if example == "" then
      example = (question and question.name or "nothing known") .. " answered " .. status
    end
  end
end

function done(summary, latency, rest)
  local asked, wrong, example = 0, 0, "-"
  for _, thread in ipairs(threads) do
    asked = asked + thread:get("asked")
    wrong = wrong + thread:get("wrong")
    if thread:get("example") ~= "" then example = thread:get("example") end
  end
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format("RESULT\t%d\t%d\t%d\t%d\t%d\t%s\n",
    summary.requests, summary.duration, wrong, failed, latency:percentile(99), example))
end
