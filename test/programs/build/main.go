// Command build builds the programs of package programs ahead of the tests,
// so that no test waits for it. It does nothing where they are.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/weft-net/weft/test/programs"
)

func main() {
	for _, set := range programs.All {
		fmt.Printf("programs of test/%s, which may take minutes to build the first time: ", set.Module)
		dir, err := set.Dir(context.Background())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(dir)
	}
}
