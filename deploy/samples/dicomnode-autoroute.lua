-- Sends every stable study to dicomnode, once, without sending its results back to it.
--
-- The SEG and SR that come back make the study stable again. A script that sends the whole study whenever it is
-- stable would therefore send for ever. This one looks at each series: what dicomnode itself stored is left out,
-- and a series goes again only when it has more instances than the last time.

local NODE = 'DICOMNODE'             -- name and AE title of dicomnode in "DicomModalities"
local MARK = 'SentToDicomnode'       -- from "UserMetadata": how many instances of a series were sent

-- A metadata entry, or nil; asking for one that does not exist would fill the log with errors.
local function metadata(series, name)
  for _, present in ipairs(ParseJson(RestApiGet('/series/' .. series .. '/metadata'))) do
    if present == name then
      return RestApiGet('/series/' .. series .. '/metadata/' .. name)
    end
  end
end

local function is_ours(series)
  return metadata(series, 'RemoteAET') == NODE
end

-- The series that have something new for dicomnode, with their counts.
local function news(study)
  local found = {}
  for _, series in ipairs(ParseJson(RestApiGet('/studies/' .. study))['Series']) do
    local count = tostring(#ParseJson(RestApiGet('/series/' .. series))['Instances'])
    if not is_ours(series) and metadata(series, MARK) ~= count then
      found[series] = count
    end
  end
  return found
end

function OnStableStudy(study, tags, _)
  local counts, resources = news(study), {}
  for series, _ in pairs(counts) do
    table.insert(resources, series)
  end
  if #resources == 0 then
    return
  end
  -- One job, so one association for all of it; Orthanc repeats a job that failed when asked (/jobs/ID/resubmit).
  local job = RestApiPost('/modalities/' .. NODE .. '/store', DumpJson({
    Resources = resources, Asynchronous = true
  }, true))
  if job then
    for series, count in pairs(counts) do
      RestApiPut('/series/' .. series .. '/metadata/' .. MARK, count)
    end
    print('dicomnode: ' .. #resources .. ' series of ' .. tags['StudyInstanceUID'] .. ' are on their way')
  else
    print('dicomnode: ' .. tags['StudyInstanceUID'] .. ' could not be queued, dicomnode catch-up will fetch it')
  end
end
