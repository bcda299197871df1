//go:build race

package local_test

// raceDetector takes memory of its own.
const raceDetector = true
