-- ngrams.lua - the n-grams of a list of words, counted.
--
-- A count is a table from n-gram (words joined by spaces) to how often it occurs; its
-- list part holds the n-grams in order of first occurrence, so that sums over them come
-- out the same in every run.

-- ngrams(words, n) -> count
return function (words, n)
  local count = {}
  for i = 1, #words - n + 1 do
    local gram = table.concat(words, " ", i, i + n - 1)
    if not count[gram] then
      count[#count + 1] = gram
      count[gram] = 0
    end
    count[gram] = count[gram] + 1
  end
  return count
end
