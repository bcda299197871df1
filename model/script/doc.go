// Package script is a strict stand-in for the Messages API: an HTTP server that
// plays a script and refuses what the API would refuse, with its status and
// words. It is meant for tests, for demonstrations without a key, and for others
// who build on the API.
//
//	server, err := script.New(src, script.Options{Name: "demo.txtar"})
//	url, stop, err := server.Serve(ctx)
//
// A Server is an http.Handler for POST /v1/messages, streaming and not. Usage is
// worked out by the documented rules (image tokens, cache hits), so costs look
// real. Where a conversation stands is read from its own history, so that a task
// goes on with another server after a crash; what was sent is remembered, so
// that an echo or a history that was changed is found.
//
// # Scripts
//
// A script is a txtar file. The comment before the first section is for people.
//
//	-- options --              first, optional: "key NAME", "tries N"
//	-- model --                a reply: text, "thinking: …", and calls "NAME {json}"
//	-- raw --                  a reply: a JSON array of content blocks
//	-- expect --               contains "text" | error ["text"] | image | results N; or "no …"
//	-- when found #RRGGBB --   the reply waits for a colour to appear; "gone" to go
//	-- status CODE [retry-after S] --   an HTTP error before the reply
//	-- cut BYTES --            a reply cut off
//	-- error TYPE --           an error event in the stream
//	-- wait DURATION --        a delay before the reply
//	-- stop_reason NAME --     of the next reply
//	-- left_out --             the client is expected to leave the next reply out of the history
//
// In the JSON of a call, "@color #RRGGBB", "@x …", "@y …" and "@region …" stand
// for a place on the newest screenshot: the largest area of that colour, or
// with "nth N", "min N", "within N", "+X,-Y", "pad N" another. While it is not
// there the server replies with wait and screenshot. docs/scripts.md has it all,
// with an example.
//
// Old results are cleared and long histories summed up when the request says so
// (context_management), with usage counted accordingly; what is not documented of
// it, and so assumed, is in docs/cost.md.
//
// Not played, and refused in plain words: token counting, files and URLs as
// images, WebP, documents, server tools, tool search, compaction on demand. The fields of browser_state blocks are not judged.
//
// Trust: requests are hostile by assumption; sizes are bounded and nothing
// panics. Scripts are trusted no further than what they say to a loop.
package script
