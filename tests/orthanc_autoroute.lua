-- Sends every stable study to the modality "node", without a loop.
--
-- What the node stores back makes its study stable again, and a naive rule would then send everything once more,
-- for ever. Here a series is sent when it did not come from the node, and again only when it has grown since.
-- "SentToNode" (declared in "UserMetadata") holds how many instances a series had when it was sent.
local SENT = 'SentToNode'

local function get(path)
   return ParseJson(RestApiGet(path))
end

local function metadata(series, name)
   for _, known in pairs(get('/series/' .. series .. '/metadata')) do
      if known == name then
         return RestApiGet('/series/' .. series .. '/metadata/' .. name)
      end
   end
   return nil
end

local function nodeTitle()
   return GetOrthancConfiguration()['DicomModalities']['node']['AET']
end

-- Number of instances of a series that is to be sent, as text; nil where there is nothing to send.
local function unsent(series)
   local instances = tostring(#get('/series/' .. series)['Instances'])
   if metadata(series, 'RemoteAET') == nodeTitle() or metadata(series, SENT) == instances then
      return nil
   end
   return instances
end

function OnStableStudy(study, _, _)
   local resources, counts = {}, {}
   for _, series in pairs(get('/studies/' .. study)['Series']) do
      counts[series] = unsent(series)
      if counts[series] ~= nil then
         table.insert(resources, series)
      end
   end
   if #resources == 0 then
      return
   end
   -- One job is one association. No number may be given here: Lua writes 60.0, which Orthanc refuses for an integer.
   local job = RestApiPost('/modalities/node/store',
      DumpJson({Resources = resources, Asynchronous = true, Permissive = false}, true))
   if job == nil then
      print('autoroute: the job could not be queued for study ' .. study)
      return
   end
   for series, count in pairs(counts) do
      RestApiPut('/series/' .. series .. '/metadata/' .. SENT, count)
   end
end
