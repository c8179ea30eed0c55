---@meta lunette.text
-- Written by scripts/tools/meta.lua; what it says is said in C.
-- luacheck: ignore 241

--- turns text into token ids and back, as the tokenizer.json it was made from says; ids count from 0
---@class lunette.text.tokenizer
local tokenizer = {}

---@class lunette.text.tokenizer.encode_options
--- second text of a pair
---@field pair? string
--- put special tokens around, as the post_processor says
---@field add_special_tokens? boolean

--- ids, tokens, offsets, type_ids of a text: offsets is a flat list, begin and end of each token in code points, from 0
---@param text string UTF-8; what is ill-formed counts as U+FFFD
---@param options? lunette.text.tokenizer.encode_options
---@return any ...
function tokenizer:encode(text, options) end

---@class lunette.text.tokenizer.decode_options
--- leave special tokens out
---@field skip_special_tokens? boolean
--- no spaces before punctuation; without effect on BPE, as in transformers 5
---@field clean_up_tokenization_spaces? boolean

--- text of a list of ids
---@param ids integer[] token ids, from 0; unknown ones are passed over
---@param options? lunette.text.tokenizer.decode_options
---@return any ...
function tokenizer:decode(ids, options) end

--- id of a token, or nil
---@param token string as the vocabulary spells it
---@return any ...
function tokenizer:token_to_id(token) end

--- token of an id, or nil
---@param id integer token id, from 0
---@return any ...
function tokenizer:id_to_token(id) end

---@class lunette.text.tokenizer.vocab_size_options
--- count added tokens too
---@field with_added_tokens? boolean

--- number of tokens
---@param options? lunette.text.tokenizer.vocab_size_options
---@return any ...
function tokenizer:vocab_size(options) end

--- ids of the special tokens, ascending
---@return any ...
function tokenizer:special_ids() end

---@class lunette.text
local text = {}

--- tokenizer from a file
---@param path string of a tokenizer.json
---@return any ...
function text.load(path) end

--- tokenizer from the contents of a file
---@param json string contents of a tokenizer.json
---@return any ...
function text.parse(json) end

return text
