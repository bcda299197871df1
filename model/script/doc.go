// Package script is a strict stand-in for the Messages API: an HTTP server that
// plays a script.
package script
