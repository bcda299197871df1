// Command cost prints what a task costs: tokens and dollars for the way deskhand
// sends a history, and for two common ways beside it.
//
// Nothing is estimated by a formula. The real client sends real requests to the
// strict stand-in for the Messages API, which counts tokens and cache hits by the
// documented rules, and the catalogue prices what it counted. Only the task is
// made up: so many steps, each a reply with a little thinking, a few words and two
// calls, answered with a screenshot of 1280x800.
//
//	go run ./bench/cost              the table of docs/cost.md
package main
