package install

import "fmt"

// Step is what was done about one file.
type Step struct {
	Path string
	Did  Did
}

// Did says what was done about a file.
type Did int

// What Install and Uninstall do about a file.
const (
	Installed Did = iota
	UpToDate      // it stood there already
	Kept          // somebody else's file got a second name, ahead of Installed
	Removed
	PutBack // the file that was kept stands at its path again
	Left    // somebody changed the file since it was installed: it stays
	Gone    // somebody had removed the file
)

// String says it in words.
func (s Step) String() string {
	switch s.Did {
	case Installed:
		return "installed " + s.Path
	case UpToDate:
		return s.Path + " is up to date"
	case Kept:
		return fmt.Sprintf("kept the %s of before as %s", s.Path, s.Path+keptSuffix)
	case Removed:
		return "removed " + s.Path
	case PutBack:
		return "put back the " + s.Path + " of before"
	case Left:
		return s.Path + " is not weft's any more; it stays"
	case Gone:
		return s.Path + " was gone already"
	}
	return s.Path
}
