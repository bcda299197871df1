//go:build race

package machine

// raceDetector takes memory of its own.
const raceDetector = true
