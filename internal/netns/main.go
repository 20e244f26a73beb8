package netns

import (
	"fmt"
	"os"
)

// Main runs body inside namespaces of its own and returns the exit code for os.Exit. It is made for
// the TestMain of a package whose tests change the network:
//
//	func TestMain(m *testing.M) { os.Exit(netns.Main(m.Run)) }
//
// The first call runs this program once more with the same arguments; in that second process Main
// calls body. Both behave the same for root and for everyone else. Signals, standard streams and
// the exit code pass through.
func Main(body func() int) int {
	code, err := enterOrReexec(body)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

func enterOrReexec(body func() int) (int, error) {
	inside, err := Enter()
	if err != nil {
		return 0, err
	}
	if inside {
		return body(), nil
	}
	return Reexec(os.Args)
}
