package guest

import (
	"runtime"
	"sync"
)

// spareThreads is how many threads the guest keeps ready. What a call starts can
// use up all the processes and threads that the sandbox may have, and a Go
// program that needs one more thread and gets none dies, and the sandbox with it.
const spareThreads = 24

// reserveThreads makes the threads now, while there is room. The runtime keeps
// threads that have nothing to do and uses them before it makes new ones.
func reserveThreads(n int) {
	var made, over sync.WaitGroup
	release := make(chan struct{})
	made.Add(n)
	for range n {
		over.Go(func() {
			runtime.LockOSThread() // so that each has one of its own
			defer runtime.UnlockOSThread()
			made.Done()
			<-release
		})
	}
	made.Wait()
	close(release)
	over.Wait()
}
