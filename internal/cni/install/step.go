package install

import "fmt"

// Step is what was done with one file.
type Step struct {
	Path string
	Did  Did
}

// Did is what was done with a file.
type Did int

// What Install and Uninstall do with a file.
const (
	Installed Did = iota
	UpToDate      // it was installed already
	Kept          // a foreign file was renamed, before Installed
	Removed
	Restored // the file that was kept is at its path again
	Left     // the file was changed since it was installed, and is kept
	Gone     // the file was removed before
)

// String returns a sentence for operators.
func (s Step) String() string {
	switch s.Did {
	case Installed:
		return "installed " + s.Path
	case UpToDate:
		return s.Path + " is up to date"
	case Kept:
		return fmt.Sprintf("kept the previous %s as %s", s.Path, s.Path+keptSuffix)
	case Removed:
		return "removed " + s.Path
	case Restored:
		return "restored the previous " + s.Path
	case Left:
		return "left " + s.Path + ", which was changed since weft installed it"
	case Gone:
		return s.Path + " was already removed"
	}
	return s.Path
}
