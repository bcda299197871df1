// Package folder shares folders of a person with a task: what the task writes
// goes to a layer beside the folder, a person reviews what changed, and what is
// accepted is applied file by file, with all that it replaces kept in a trash
// from which it can be put back.
//
// It must never write to a folder outside Apply and Undo, never through a
// link, never over a file that changed since the layer was made, and never
// remove the last copy of anything.
//
// Trust: everything in a layer was written by hostile programs: names, links,
// modes and kinds of files. Only the marks of the kernel are believed, and only
// while nothing runs on the layer, which its lock ensures. The folder itself
// may be changed at any time by other programs of the person, so that what was
// checked is held by descriptor, or checked again after it was moved aside.
package folder
