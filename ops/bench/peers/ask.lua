-- Sends one request over and over, and counts the answers that do not hold what a right one does:
-- wrk -s ask.lua URL -- METHOD PATH TOKEN BODY PART, with - for what there is none of. A token with its scheme
-- before it is sent as it is, and a body that is no JSON as a form.
local threads = {}

function setup(thread) table.insert(threads, thread) end

function init(args)
  local headers = {}
  if args[3] ~= "-" then headers["Authorization"] = args[3]:find(" ") and args[3] or "Bearer " .. args[3] end
  if args[4] ~= "-" then
    headers["Content-Type"] = args[4]:find("^{") and "application/json" or "application/x-www-form-urlencoded"
  end
  text = wrk.format(args[1], args[2], headers, args[4] ~= "-" and args[4] or nil)
  part, wrong = args[5], 0
end

function request() return text end

function response(status, headers, body)
  if status ~= 200 or not body:find(part, 1, true) then wrong = wrong + 1 end
end

function done(summary)
  local wrong = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  for _, thread in ipairs(threads) do wrong = wrong + thread:get("wrong") end
  io.write(string.format("RESULT %.0f %d\n", summary.requests * 1e6 / summary.duration, wrong))
end
