// Package deskhand lets Claude operate a computer: it takes a task in plain
// words, works through it on a real desktop with a mouse, a keyboard, a
// browser, a shell and files, and shows its work.
//
// This root package is the vocabulary. It holds nouns and no behaviour beyond
// validation, and it imports nothing of the project:
//
//   - [Task], [Status], [Budget], [Usage]: what was asked for and how it stands;
//   - [Call] and [Result]: what the model asks for and what the world answered;
//   - [Event]: one fact in a task's journal, the only truth there is;
//   - [Verdict] and [Decision]: what the gate said, and what a person said;
//   - [ModelPoint], [ScreenPoint], [Scale]: coordinates that cannot be mixed up;
//   - [Error] and [Code]: why something could not be done.
//
// Data flows one way. Requests go down as calls; facts come up as events:
//
//	cmd → server → engine → agent → model · tool · policy → deskhand (this package)
//	machine → sandbox · desktop · tool/*
//
// The agent loop, the keys and the journal stay on the host. Hands and eyes
// (the guest program, the display, the shell, the browser) live in a sandbox.
//
// What to read first: agent (the loop), then tool/computer (what the model may
// do), then desktop/x11 (how it is done). docs/architecture.md has the drawing.
//
// Only this package and package tool are covered by compatibility promises.
package deskhand
